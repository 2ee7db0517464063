-- of_class
-- The newest signal table of each machine of a class.
SELECT DISTINCT ON (m.name) m.name, m.feature_set, t.body, array_position(t.machines, m.id) - 1 AS place
  FROM machine m
  JOIN signal_table t ON t.device = m.device AND m.id = ANY (t.machines)
 WHERE m.machine_class = %(machine_class)s
 ORDER BY m.name, t.seen DESC, t.hash;

-- classes
SELECT DISTINCT machine_class FROM machine ORDER BY machine_class;
