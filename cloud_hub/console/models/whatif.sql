-- machines
-- Those that the use case has predicted for, by name.
SELECT m.name FROM latest_prediction l JOIN machine m ON m.id = l.machine
  JOIN device d ON d.id = m.device JOIN site s ON s.id = d.site
 WHERE l.use_case = %(use_case)s AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 ORDER BY m.name LIMIT %(most)s;

-- newest
SELECT m.name AS machine, l.time FROM latest_prediction l JOIN machine m ON m.id = l.machine
  JOIN device d ON d.id = m.device JOIN site s ON s.id = d.site
 WHERE l.use_case = %(use_case)s AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
   AND (%(machine)s::text = '' OR m.name = %(machine)s)
 ORDER BY l.time DESC, m.name LIMIT 1;
