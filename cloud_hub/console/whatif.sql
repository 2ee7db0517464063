-- machines
-- Those that the use case has predicted for, by name.
SELECT m.name FROM latest_prediction l JOIN machine m ON m.id = l.machine
 WHERE l.use_case = %(use_case)s ORDER BY m.name LIMIT %(most)s;

-- newest
SELECT m.name AS machine, l.time FROM latest_prediction l JOIN machine m ON m.id = l.machine
 WHERE l.use_case = %(use_case)s AND (%(machine)s::text = '' OR m.name = %(machine)s)
 ORDER BY l.time DESC, m.name LIMIT 1;
