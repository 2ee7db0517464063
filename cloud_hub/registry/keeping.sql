-- models
-- Every model whose files are there, newest first, with what its files are needed for. A device may run, or go
-- back to, what its newest directives named; one that is retired does neither.
WITH wished AS (
    SELECT i.release,
           row_number() OVER (PARTITION BY i.device, i.use_case ORDER BY i.sequence DESC) AS place
      FROM directive i JOIN device d ON d.id = i.device
     WHERE d.retired IS NULL
), went_well AS (
    SELECT release, row_number() OVER (PARTITION BY use_case ORDER BY changed DESC) AS place
      FROM rollout WHERE state = 'done'
), needed (release, why) AS (
    SELECT m.release, 'it is the ' || a.name FROM alias a JOIN model m USING (use_case, version)
    UNION SELECT r.release, 'a device runs it'
            FROM device_release r JOIN device d ON d.id = r.device WHERE d.retired IS NULL
    UNION SELECT release, 'a device was directed to it lately' FROM wished WHERE place <= %(slots)s
    UNION SELECT rd.previous, 'a device may go back to it'
            FROM rollout_device rd JOIN rollout r ON r.id = rd.rollout JOIN device d ON d.id = rd.device
           WHERE rd.previous IS NOT NULL AND d.retired IS NULL
             AND (r.followed OR rd.sequence = (SELECT max(i.sequence) FROM directive i
                                                WHERE i.device = rd.device AND i.use_case = r.use_case))
    UNION SELECT release, 'a rollout is under way'
            FROM rollout WHERE followed OR state IN ('running', 'awaiting', 'paused')
    UNION SELECT release, 'it was rolled out last' FROM went_well WHERE place <= 2
    UNION SELECT release, 'it is being published' FROM model WHERE state = 'approved'
)
SELECT m.release, m.use_case, m.version, m.state, m.onnx_path, m.run, r.dataset,
       ARRAY (SELECT n.why FROM needed n WHERE n.release = m.release ORDER BY n.why) AS needed
  FROM model m JOIN run r ON r.id = m.run
 WHERE m.state <> 'removed'
 ORDER BY m.use_case, m.version DESC;

-- datasets
-- Datasets that models were made of and whose files are there, newest first; `models` are those not removed.
SELECT d.id, d.use_case, d.path,
       ARRAY (SELECT m.release FROM model m JOIN run r ON r.id = m.run
               WHERE r.dataset = d.id AND m.state <> 'removed') AS models,
       EXISTS (SELECT FROM run r WHERE r.use_case = d.use_case AND r.state IN ('queued', 'running')) AS training
  FROM dataset d
 WHERE EXISTS (SELECT FROM run r JOIN model m ON m.run = r.id WHERE r.dataset = d.id)
   AND NOT EXISTS (SELECT FROM dataset_removed x WHERE x.dataset = d.id)
 ORDER BY d.use_case, d.created DESC, d.id;

-- lock_models
-- In the order of their names, as whoever registers a model or removes one.
SELECT pg_advisory_xact_lock(hashtext('andon.model.' || named))
  FROM (SELECT DISTINCT use_case AS named FROM model ORDER BY 1) use_cases;

-- lock_rollouts
-- No rollout is started, undone or driven meanwhile.
SELECT pg_advisory_xact_lock(hashtext('andon.rollout'), hashtext(named))
  FROM (SELECT DISTINCT use_case AS named FROM model ORDER BY 1) use_cases;

-- hold
-- Nobody approves them meanwhile.
SELECT release FROM model WHERE release = ANY (%(releases)s) ORDER BY release FOR UPDATE;

-- remove
UPDATE model SET state = 'removed', removed = %(now)s WHERE release = ANY (%(releases)s);

-- orphans
-- Models that are removed, or are to be, each with its network where no other shares it.
WITH gone AS (
    SELECT release, onnx_path FROM model WHERE state = 'removed' OR release = ANY (%(releases)s)
)
SELECT release,
       CASE WHEN NOT EXISTS (SELECT FROM model o WHERE o.onnx_path = gone.onnx_path
                                AND o.release NOT IN (SELECT release FROM gone))
            THEN onnx_path END AS onnx_path
  FROM gone ORDER BY release;

-- ended_runs
-- What a run keeps to go on where it was killed serves nobody once it has ended.
SELECT id FROM run WHERE state IN ('done', 'failed', 'cancelled');

-- note_datasets
INSERT INTO dataset_removed (dataset, removed)
SELECT id, %(now)s FROM unnest(%(datasets)s::text[]) AS gone (id)
ON CONFLICT (dataset) DO UPDATE SET removed = excluded.removed;

-- made_again
-- A dataset that a model was made of since its files were removed has been written again.
DELETE FROM dataset_removed x
 WHERE EXISTS (SELECT FROM run r WHERE r.dataset = x.dataset AND r.created > x.removed);
