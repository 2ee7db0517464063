-- machines
-- Machines of the class, with every signal table that names them.
SELECT m.id, m.name, m.feature_set, s.name AS site, t.body, array_position(t.machines, m.id) - 1 AS place
  FROM machine m
  JOIN signal_table t ON t.device = m.device AND m.id = ANY (t.machines)
  JOIN device d ON d.id = m.device
  JOIN site s ON s.id = d.site
 WHERE m.machine_class = %(machine_class)s
 ORDER BY m.name, t.seen, t.hash;

-- widths
-- How wide the rows of each machine are; more than one width cannot be trained on.
SELECT f.machine, cardinality(f.values) AS width, count(*) AS rows
  FROM feature f
 WHERE f.machine = ANY (%(machines)s) AND f.feature_set = %(feature_set)s
   AND f.time >= %(since)s AND f.time <= %(until)s
 GROUP BY f.machine, cardinality(f.values);

-- rows
-- A machine's row of one moment once, even where two epochs told it.
SELECT DISTINCT ON (f.machine, f.time) f.machine, f.time, f.values
  FROM feature f
 WHERE f.machine = ANY (%(machines)s) AND f.feature_set = %(feature_set)s
   AND f.time >= %(since)s AND f.time <= %(until)s
 ORDER BY f.machine, f.time, f.device, f.epoch, f.sequence;

-- ends
-- What ended lives, as known at %(until)s: a label added later is not yet knowledge.
SELECT machine, time, kind = 'failure' AS failed
  FROM label
 WHERE machine = ANY (%(machines)s) AND kind IN ('failure', 'maintenance')
   AND time <= %(until)s AND added <= %(until)s
 ORDER BY machine, time, kind;

-- insert
INSERT INTO dataset (id, use_case, hash, path, rows, machines, lives, feature_set, manifest, created)
VALUES (%(id)s, %(use_case)s, %(hash)s, %(path)s, %(rows)s, %(machines)s, %(lives)s, %(feature_set)s,
        %(manifest)s, %(created)s)
ON CONFLICT (hash) DO NOTHING;

-- one
SELECT * FROM dataset WHERE id = %(id)s;

-- newest_first
SELECT * FROM dataset
 WHERE %(use_case)s::text IS NULL OR use_case = %(use_case)s
 ORDER BY created DESC, id;
