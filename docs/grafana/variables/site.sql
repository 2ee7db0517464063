SELECT name FROM site ORDER BY name;
