-- standing
-- What triggers go by: the newest training, the champion and what was tried since, what that training did not know yet.
WITH champion AS (
    SELECT m.release, m.version, r.created, r.dataset
      FROM alias a JOIN model m USING (use_case, version) JOIN run r ON r.id = m.run
     WHERE a.use_case = %(use_case)s AND a.name = 'champion'
), newest AS (
    SELECT id, state, created FROM run WHERE use_case = %(use_case)s
     ORDER BY created DESC, length(id) DESC, id DESC LIMIT 1
), taught AS (
    SELECT r.created FROM run r
     WHERE r.use_case = %(use_case)s AND r.dataset IS NOT NULL ORDER BY r.created DESC LIMIT 1
), news AS (
    SELECT l.kind FROM label l JOIN machine m ON m.id = l.machine
     WHERE m.machine_class = %(machine_class)s AND l.added <= %(now)s
       AND l.added > coalesce((SELECT created FROM taught), '-infinity')
)
SELECT (SELECT release FROM champion) AS champion,
       (SELECT id FROM newest) AS run,
       (SELECT state FROM newest) AS state,
       (SELECT created FROM newest) AS created,
       (SELECT count(*) FROM run r
         WHERE r.use_case = %(use_case)s AND r.created > (SELECT created FROM champion)) AS tried,
       (SELECT count(*) FROM news WHERE kind = 'failure') AS failures,
       (SELECT count(*) FROM news WHERE kind = 'verdict') AS verdicts,
       (SELECT o.id FROM rollout o
         WHERE o.use_case = %(use_case)s AND o.state IN ('running', 'awaiting')
         ORDER BY o.created DESC LIMIT 1) AS rollout;

-- begun
-- When the life began that each machine was in at %(since)s, where a label tells, and how many rows it had before that moment.
SELECT m.name, ended.time AS began,
       (SELECT count(*) FROM feature f
         WHERE f.machine = m.id AND f.feature_set = %(feature_set)s
           AND f.time > ended.time AND f.time < %(since)s) AS rows
  FROM machine m
 CROSS JOIN LATERAL (
    SELECT max(l.time) AS time FROM label l
     WHERE l.machine = m.id AND l.kind IN ('failure', 'maintenance')
       AND l.time < %(since)s AND l.added <= %(now)s
 ) ended
 WHERE m.name = ANY (%(machines)s) AND ended.time IS NOT NULL;

-- newest_check
SELECT checked, release, drift_since FROM trigger_check WHERE use_case = %(use_case)s ORDER BY checked DESC, id DESC LIMIT 1;

-- forget_quiet
-- Of the checks that started nothing only the newest is kept.
DELETE FROM trigger_check WHERE use_case = %(use_case)s AND run IS NULL;

-- insert_check
INSERT INTO trigger_check (use_case, checked, release, reasons, drift_since, held, figures, run)
VALUES (%(use_case)s, %(checked)s, %(release)s, %(reasons)s, %(drift_since)s, %(held)s, %(figures)s, %(run)s);

-- checks
SELECT c.checked, c.release, c.reasons, c.drift_since, c.held, c.run, r.state, m.release AS made, m.state AS made_state
  FROM trigger_check c LEFT JOIN run r ON r.id = c.run LEFT JOIN model m ON m.run = c.run
 WHERE c.use_case = %(use_case)s
 ORDER BY c.checked DESC, c.id DESC LIMIT 20;
