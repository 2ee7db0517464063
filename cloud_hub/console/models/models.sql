-- named
-- Use cases that a model or a run is of.
SELECT use_case, sum(versions)::integer AS versions
  FROM (SELECT use_case, count(*) AS versions FROM model GROUP BY use_case
        UNION ALL SELECT use_case, 0 FROM run GROUP BY use_case) told
 GROUP BY use_case;

-- versions
-- Versions, newest first, each with what a list tells of its verdict: never the evidence by machine, which is long.
SELECT m.use_case, m.version, m.release, m.run, m.state, m.created, m.released, m.removed,
       (m.gate ->> 'passed')::boolean AS passed, m.gate ->> 'reason' AS reason,
       m.gate -> 'evidence' -> 'figure' AS figure, m.gate -> 'evidence' -> 'coverage' AS coverage,
       m.gate -> 'evidence' -> 'baselines' AS baselines,
       ARRAY (SELECT jsonb_path_query(m.gate, 'lax $.evidence.paired[*].rival') #>> '{}') AS rivals,
       ARRAY (SELECT a.name FROM alias a
               WHERE a.use_case = m.use_case AND a.version = m.version ORDER BY a.name) AS aliases,
       f.person AS refused_by, f.reason AS refusal
  FROM model m LEFT JOIN refusal f ON f.release = m.release
 WHERE (%(use_case)s::text IS NULL OR m.use_case = %(use_case)s)
   AND (NOT %(aliased)s OR EXISTS (SELECT FROM alias a WHERE a.use_case = m.use_case AND a.version = m.version))
 ORDER BY m.use_case, m.version DESC LIMIT %(most)s OFFSET %(offset)s;

-- unseen_sites
SELECT name FROM site WHERE name <> ALL (%(sites)s);

-- counted
SELECT count(*)::integer AS versions FROM model WHERE use_case = %(use_case)s;

-- running
-- How many devices in service run each release, of those that may be seen.
SELECT r.release, count(*)::integer AS devices
  FROM device_release r JOIN device d ON d.id = r.device JOIN site s ON s.id = d.site
 WHERE d.retired IS NULL AND (%(use_case)s::text IS NULL OR r.use_case = %(use_case)s)
   AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 GROUP BY r.release;

-- at_work
-- Runs that wait or are at work, in the order in which they take their turn.
SELECT id, use_case, state, stage, progress, created FROM run
 WHERE state IN ('queued', 'running') ORDER BY created, id LIMIT %(most)s;

-- newest_checks
-- What triggers of each use case found last.
SELECT DISTINCT ON (use_case) use_case, checked, release, reasons, drift_since, held, run,
       figures ->> 'why_not' AS why_not
  FROM trigger_check ORDER BY use_case, checked DESC, id DESC;

-- crowned
-- Since when the champion is it: the newest rollout of its use case that ended well, or was undone.
SELECT a.use_case, max(o.changed) AS since
  FROM alias a JOIN rollout o ON o.use_case = a.use_case AND o.state IN ('done', 'undone')
 WHERE a.name = 'champion' AND (%(use_case)s::text IS NULL OR a.use_case = %(use_case)s)
 GROUP BY a.use_case;

-- newest_rollout
-- Where a release was sent last.
SELECT id, state, created,
       (%(sites)s::text[] IS NULL OR EXISTS (
          SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
           WHERE rd.rollout = rollout.id AND s.name = ANY (%(sites)s))) AS seen
  FROM rollout WHERE release = %(release)s ORDER BY created DESC, id DESC LIMIT 1;

-- engines
-- Engines that were signed for a release, by the target each is for.
SELECT split_part(subject, '/', 2) AS target, subject, min(time) AS signed
  FROM audit WHERE action = 'engine.publish' AND strpos(subject, '/' || %(release)s || '.') > 0
 GROUP BY subject ORDER BY subject;

-- teachable
-- What a training would find now: machines of the class, and what people said of them since the last dataset.
WITH taught AS (
    SELECT max(r.created) AS last FROM run r WHERE r.use_case = %(use_case)s AND r.dataset IS NOT NULL
)
SELECT (SELECT count(*)::integer FROM machine WHERE machine_class = %(machine_class)s) AS machines,
       (SELECT count(*)::integer FROM label l JOIN machine m ON m.id = l.machine
         WHERE m.machine_class = %(machine_class)s AND l.kind = 'failure') AS failures,
       (SELECT count(*)::integer FROM label l JOIN machine m ON m.id = l.machine, taught
         WHERE m.machine_class = %(machine_class)s AND l.kind = 'failure'
           AND l.added > coalesce(taught.last, '-infinity')) AS new_failures,
       (SELECT last FROM taught) AS last;

-- dataset
-- By its hash, or by its name.
SELECT d.id, d.use_case, d.hash, d.rows, d.machines, d.lives, d.feature_set, d.created, d.manifest, x.removed
  FROM dataset d
  LEFT JOIN dataset_removed x ON x.dataset = d.id
       AND NOT EXISTS (SELECT FROM run r WHERE r.dataset = d.id AND r.created > x.removed)
 WHERE d.hash = %(digest)s OR d.id = %(digest)s LIMIT 1;

-- made_of
-- Runs that learnt from a dataset and what came of each, newest first.
SELECT r.id, r.state, r.error, r.created, m.release, m.state AS model_state, (m.gate ->> 'passed')::boolean AS passed,
       f.person AS refused_by
  FROM run r LEFT JOIN model m ON m.run = r.id LEFT JOIN refusal f ON f.release = m.release
 WHERE r.dataset = %(dataset)s ORDER BY r.created DESC, r.id DESC LIMIT %(most)s;

-- devices_of
-- Devices in service that run a release and may be seen, the first by name, and how many there are.
SELECT d.name, (count(*) OVER ())::integer AS total
  FROM device_release r JOIN device d ON d.id = r.device JOIN site s ON s.id = d.site
 WHERE r.release = %(release)s AND d.retired IS NULL
   AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 ORDER BY d.name LIMIT %(most)s;

-- alarms_raised
-- Alarms that a release raised on machines that may be seen, newest first.
SELECT a.machine, a.use_case, a.opened
  FROM alarm a
  JOIN machine m ON m.id = a.machine JOIN device d ON d.id = m.device JOIN site s ON s.id = d.site
 WHERE a.release = %(release)s AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 ORDER BY a.opened DESC LIMIT %(most)s;

-- verdicts
SELECT machine, time, kind, detail, source FROM label 
 WHERE machine = ANY (%(machines)s) AND time >= %(since)s AND kind = 'verdict';

-- predicted
-- Bounded by the caller's patience: there may be millions.
SELECT count(*) AS predictions FROM prediction WHERE release = %(release)s;

-- predicting
-- The machines that may be seen whose newest prediction is of a release.
SELECT count(*)::integer AS machines, max(p.time) AS last
  FROM latest_prediction p
  JOIN machine m ON m.id = p.machine JOIN device d ON d.id = m.device JOIN site s ON s.id = d.site
 WHERE p.release = %(release)s AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s));
