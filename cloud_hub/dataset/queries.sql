-- machines
-- Machines of the class, with every signal table that ever named them, the one of now told beside it.
SELECT m.id, m.name, m.device, s.name AS site, d.skew_s, t.body, t.seen, encode(t.hash, 'hex') AS hash,
       d.birth ->> 'table_hash' AS current, array_position(t.machines, m.id) - 1 AS place
  FROM machine m
  JOIN signal_table t ON m.id = ANY (t.machines)
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
-- A row that was received only after %(until)s was not known then, whenever it was measured.
COPY (
    SELECT f.machine, f.time, f.device, f.epoch, f.sequence, f.values
      FROM feature f
     WHERE f.machine = ANY (%(machines)s) AND f.feature_set = %(feature_set)s
       AND f.time >= %(since)s AND f.time <= %(until)s
       AND NOT EXISTS (SELECT FROM ledger l WHERE l.device = f.device AND l.epoch = f.epoch
                          AND l.sequence = f.sequence AND l.received > %(until)s)
) TO STDOUT (FORMAT BINARY);

-- labels
-- What is known at %(until)s: a label added later is not yet knowledge.
SELECT machine, time, kind, detail
  FROM label
 WHERE machine = ANY (%(machines)s) AND time <= %(until)s AND added <= %(until)s
 ORDER BY machine, time, kind;

-- before
-- Of the lives that went on at %(since)s: how many rows they had had, and since when.
SELECT m.id AS machine, count(*) AS rows, min(f.time) AS began
  FROM machine m
 CROSS JOIN LATERAL (SELECT max(l.time) AS time FROM label l
                      WHERE l.machine = m.id AND l.kind IN ('failure', 'maintenance')
                        AND l.time < %(since)s AND l.added <= %(until)s) ended
  JOIN feature f ON f.machine = m.id AND f.feature_set = %(feature_set)s
                AND f.time > coalesce(ended.time, '-infinity') AND f.time < %(since)s
 WHERE m.id = ANY (%(machines)s)
 GROUP BY m.id;

-- gaps
-- What devices and hub say could not be kept, as far as it has a span of time.
SELECT device, machine, from_time, to_time, reason
  FROM gap
 WHERE device = ANY (%(devices)s) AND from_time IS NOT NULL AND from_time <= %(until)s
   AND coalesce(to_time, %(until)s) >= %(since)s
 ORDER BY device, from_time, id;

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

-- made_of
-- Forward: the runs that learnt from a dataset, and what became of them.
SELECT r.id AS run, r.state, r.created, r.code, m.release, m.state AS model_state, m.released,
       ARRAY (SELECT a.name FROM alias a WHERE a.use_case = m.use_case AND a.version = m.version
               ORDER BY a.name) AS aliases
  FROM run r LEFT JOIN model m ON m.run = r.id
 WHERE r.dataset = %(dataset)s
 ORDER BY r.created, r.id;
