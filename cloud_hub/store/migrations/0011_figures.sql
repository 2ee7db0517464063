-- Where each figure stands in the rows of predictions, by release: the outputs in the order of the manifest, with
-- the two bounds behind remaining_life where it has an interval (wire.manifest.row_names says the same in Python).
CREATE VIEW release_figure AS
WITH output AS (
    SELECT m.release, told.value ->> 'name' AS name, told.place::integer AS place,
           m.manifest ->> 'interval' IS NOT NULL AS bounded
      FROM model m
     CROSS JOIN LATERAL jsonb_array_elements(m.manifest -> 'outputs') WITH ORDINALITY AS told (value, place)
), shifted AS (
    SELECT o.release, o.name,
           o.place + CASE WHEN o.bounded AND o.place > life.place THEN 2 ELSE 0 END AS place,
           o.bounded
      FROM output o
      LEFT JOIN output life ON life.release = o.release AND life.name = 'remaining_life'
)
SELECT release,
       max(place) FILTER (WHERE name = 'remaining_life') AS life,
       max(place) FILTER (WHERE name = 'remaining_life' AND bounded) + 1 AS lower,
       max(place) FILTER (WHERE name = 'remaining_life' AND bounded) + 2 AS upper,
       max(place) FILTER (WHERE name = 'anomaly') AS anomaly,
       array_agg(name ORDER BY place) FILTER (WHERE name LIKE 'fault\_%') AS faults,
       array_agg(place ORDER BY place) FILTER (WHERE name LIKE 'fault\_%') AS fault_places
  FROM shifted
 GROUP BY release;
