-- lock
SELECT pg_advisory_xact_lock(hashtext('andon.model.' || %(use_case)s));

-- next_version
-- One more than any that was made here; after a restore, than any that is said to run somewhere. The first after a restore begins a new
-- hundred: versions that the backup does not know may run on devices, and a name is never given twice.
WITH known AS (
    SELECT greatest((SELECT max(version) FROM model WHERE use_case = %(use_case)s),
                    (SELECT max(split_part(release, '/', 2)::integer) FROM device_release
                      WHERE use_case = %(use_case)s AND split_part(release, '/', 1) = %(use_case)s
                        AND split_part(release, '/', 2) ~ '^[0-9]{1,6}$'
                        AND EXISTS (SELECT FROM restoration)), 0) AS top,
           (SELECT max(created) FROM model WHERE use_case = %(use_case)s) AS made
)
SELECT CASE WHEN EXISTS (SELECT FROM restoration
                          WHERE restored >= coalesce(known.made, '-infinity'::timestamptz))
            THEN (top / 100 + 1) * 100 + 1 ELSE top + 1 END AS version
  FROM known;

-- insert
INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)
VALUES (%(use_case)s, %(version)s, %(release)s, %(run)s, %(state)s, %(onnx_path)s, %(onnx_sha256)s,
        %(manifest)s, %(gate)s, %(created)s);

-- set_alias
INSERT INTO alias (use_case, name, version) VALUES (%(use_case)s, %(name)s, %(version)s)
ON CONFLICT (use_case, name) DO UPDATE SET version = excluded.version;

-- one
SELECT * FROM model WHERE release = %(release)s;

-- of_run
SELECT * FROM model WHERE run = %(run)s;

-- aliased
SELECT m.* FROM alias a JOIN model m USING (use_case, version)
 WHERE a.use_case = %(use_case)s AND a.name = %(name)s;

-- newest_first
-- With why each was trained: as the run says, else by whom it was asked for.
SELECT m.*, r.dataset, r.metrics ->> 'rmse' AS rmse, r.created AS asked,
       coalesce(r.settings ->> 'why',
                (SELECT 'asked by ' || a.actor FROM audit a
                  WHERE a.subject = m.run AND a.action = 'retrain.request' ORDER BY a.id LIMIT 1),
                '') AS why,
       (SELECT array_agg(a.name ORDER BY a.name) FROM alias a
         WHERE a.use_case = m.use_case AND a.version = m.version) AS aliases,
       f.person AS refused_by, f.reason AS refusal
  FROM model m JOIN run r ON r.id = m.run LEFT JOIN refusal f ON f.release = m.release
 WHERE %(use_case)s::text IS NULL OR m.use_case = %(use_case)s
 ORDER BY m.created DESC, m.release DESC;

-- runs
-- A page of trainings, newest first, each with what came of it; no use case means all, no state any.
SELECT r.id, r.use_case, r.state, r.stage, r.progress, r.dataset, r.error, r.created, r.finished, r.correlation,
       m.release, (m.gate ->> 'passed')::boolean AS passed,
       coalesce(r.settings ->> 'why',
                (SELECT 'asked by ' || a.actor FROM audit a
                  WHERE a.subject = r.id AND a.action = 'retrain.request' ORDER BY a.id LIMIT 1),
                '') AS why
  FROM run r LEFT JOIN model m ON m.run = r.id
 WHERE (%(use_case)s::text IS NULL OR r.use_case = %(use_case)s)
   AND (%(state)s::text IS NULL OR r.state = %(state)s)
 ORDER BY r.created DESC, r.id DESC LIMIT %(size)s OFFSET %(offset)s;

-- run
SELECT * FROM run WHERE id = %(run)s;

-- dataset
SELECT * FROM dataset WHERE id = %(dataset)s;

-- approvals
SELECT person, override, approved FROM approval WHERE release = %(release)s ORDER BY id;

-- refusal
-- The no of a person, for good; the gate's no is none.
SELECT person, reason, refused FROM refusal WHERE release = %(release)s;

-- author
-- Who asked for the training.
SELECT actor FROM audit WHERE subject = %(run)s AND action = 'retrain.request' ORDER BY id LIMIT 1;

-- weighed
-- What became of each other precision when its bundle was made: newest, as a publishing may have been killed.
SELECT detail -> 'precisions' AS precisions FROM audit
 WHERE subject = %(release)s AND action = 'release.weigh' ORDER BY id DESC LIMIT 1;

-- engines_signed
-- Who signed each shared engine first, when, and what was known of it.
SELECT DISTINCT ON (subject) subject, time, actor, detail FROM audit
 WHERE action = 'engine.publish' ORDER BY subject, id;

-- predictions
-- Counted where they are: every prediction names its release.
SELECT count(*) AS predictions, count(DISTINCT machine) AS machines, min(time) AS first, max(time) AS last
  FROM prediction WHERE release = %(release)s;

-- predicting
-- The machines whose newest prediction names it: a glance, where counting all of them would take long.
SELECT count(*) AS machines, max(time) AS last FROM latest_prediction WHERE release = %(release)s;

-- devices
SELECT d.name FROM device_release r JOIN device d ON d.id = r.device
 WHERE r.release = %(release)s ORDER BY d.name;

-- rollouts
-- Where a release was sent.
SELECT id, state, created, created_by,
       (SELECT count(*)::integer FROM rollout_device rd WHERE rd.rollout = rollout.id AND rd.state = 'committed')
       AS committed,
       (SELECT count(*)::integer FROM rollout_device rd WHERE rd.rollout = rollout.id) AS devices
  FROM rollout WHERE release = %(release)s ORDER BY created, id;

-- aliases
SELECT a.name FROM alias a JOIN model m USING (use_case, version) WHERE m.release = %(release)s ORDER BY a.name;

-- dataset_removed
-- Since when the files of a dataset are gone, unless it was made again.
SELECT x.removed FROM dataset_removed x
 WHERE x.dataset = %(dataset)s
   AND NOT EXISTS (SELECT FROM run r WHERE r.dataset = x.dataset AND r.created > x.removed);

-- last_predictions
-- The last prediction of each machine by any release of a use case, as the devices made it.
SELECT DISTINCT ON (m.name) m.name AS machine, p.time, p.release, p.values
  FROM prediction p JOIN machine m ON m.id = p.machine
 WHERE p.release LIKE %(like)s AND m.name = ANY (%(machines)s)
 ORDER BY m.name, p.time DESC;

-- all_predictions
SELECT m.name AS machine, p.time, p.release, p.values
  FROM prediction p JOIN machine m ON m.id = p.machine
 WHERE p.release LIKE %(like)s AND m.name = ANY (%(machines)s)
 ORDER BY m.name, p.time;
