-- lock_runs
SELECT pg_advisory_xact_lock(hashtext('andon.run'));

-- next_run
-- A restored database does not know every name that was given before: each restore skips a hundred.
SELECT (SELECT count(*) FROM run WHERE use_case = %(use_case)s)
       + 100 * (SELECT count(*) FROM restoration) + 1 AS number;

-- insert_run
INSERT INTO run (id, use_case, state, settings, correlation, created)
VALUES (%(id)s, %(use_case)s, 'queued', %(settings)s, %(correlation)s, %(now)s);

-- open_run
SELECT id FROM run WHERE use_case = %(use_case)s AND state IN ('queued', 'running') ORDER BY created LIMIT 1;

-- marked
-- The run that a form has asked for before.
SELECT id FROM run WHERE use_case = %(use_case)s AND settings ->> 'mark' = %(mark)s;

-- unknown_machines
-- Of names, those that no machine of a class has.
SELECT named FROM unnest(%(names)s::text[]) AS names (named)
 WHERE NOT EXISTS (SELECT FROM machine m WHERE m.name = named AND m.machine_class = %(machine_class)s)
 ORDER BY named;

-- set_job
UPDATE run SET job = %(job)s WHERE id = %(run)s;

-- own
-- Take a run over: whoever held an earlier attempt can write no result any more.
UPDATE run
   SET state = 'running', attempt = attempt + 1, stage = 'starting', progress = 0
 WHERE id = %(run)s AND state IN ('queued', 'running')
RETURNING attempt, use_case, settings, correlation, dataset;

-- set_dataset
-- Another attempt at the run goes on with the same rows, whatever came in meanwhile.
UPDATE run SET dataset = %(dataset)s
 WHERE id = %(run)s AND attempt = %(attempt)s AND state = 'running';

-- cancel
UPDATE run SET state = 'cancelled', error = %(error)s, finished = %(now)s
 WHERE id = %(run)s AND state IN ('queued', 'running')
RETURNING correlation;

-- progress
UPDATE run SET stage = %(stage)s, progress = %(progress)s
 WHERE id = %(run)s AND attempt = %(attempt)s AND state = 'running';

-- learnt_before
SELECT id FROM run
 WHERE use_case = %(use_case)s AND dataset = %(dataset)s AND id <> %(run)s ORDER BY created LIMIT 1;

-- hold
-- The run, locked, if this attempt still owns it.
SELECT id FROM run
 WHERE id = %(run)s AND attempt = %(attempt)s AND state = 'running'
   FOR UPDATE;

-- finish
UPDATE run
   SET state = 'done', stage = '', progress = 1, dataset = %(dataset)s, code = %(code)s,
       metrics = %(metrics)s, finished = %(now)s
 WHERE id = %(run)s AND attempt = %(attempt)s AND state = 'running';

-- fail
UPDATE run SET state = 'failed', error = %(error)s, finished = %(now)s
 WHERE id = %(run)s AND state IN ('queued', 'running')
   AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
RETURNING use_case, correlation;

-- model
SELECT m.*, r.correlation
  FROM model m JOIN run r ON r.id = m.run
 WHERE m.release = %(release)s
   FOR UPDATE OF m;

-- approve
UPDATE model SET state = 'approved' WHERE release = %(release)s AND state IN ('candidate', 'refused');

-- insert_approval
INSERT INTO approval (release, person, override, approved)
VALUES (%(release)s, %(person)s, %(override)s, %(now)s);

-- insert_refusal
INSERT INTO refusal (release, person, reason, refused)
VALUES (%(release)s, %(person)s, %(reason)s, %(refused)s);

-- refuse
UPDATE model SET state = 'refused'
 WHERE release = %(release)s AND state IN ('candidate', 'refused', 'approved');

-- unname_candidate
DELETE FROM alias a USING model m
 WHERE m.release = %(release)s AND a.name = 'candidate' AND (a.use_case, a.version) = (m.use_case, m.version);

-- release
UPDATE model
   SET state = 'released', bundle_path = %(path)s, bundle_sha256 = %(sha256)s,
       bundle_bytes = %(bytes)s, released = %(now)s
 WHERE release = %(release)s AND state = 'approved';

-- crown
-- What is champion waits for nothing any more: it is no candidate.
WITH crowned AS (
    INSERT INTO alias (use_case, name, version)
    SELECT use_case, 'champion', version FROM model WHERE release = %(release)s
    ON CONFLICT (use_case, name) DO UPDATE SET version = excluded.version
    RETURNING use_case, version
)
DELETE FROM alias USING crowned
 WHERE alias.name = 'candidate' AND (alias.use_case, alias.version) = (crowned.use_case, crowned.version);

-- uncrown
DELETE FROM alias WHERE use_case = %(use_case)s AND name = 'champion';

-- newest_failure
-- The newest act about publishing a release.
SELECT action, detail FROM audit
 WHERE subject = %(release)s
   AND action IN ('release.approve', 'release.publish', 'release.publish-failed', 'release.publish-again')
 ORDER BY id DESC LIMIT 1;

-- voices
-- Whose voices actors are, in their order; of which of them nobody knows.
SELECT told.actor, voice(told.actor) AS voice, is_nobodys(told.actor) AS nobodys
  FROM unnest(%(actors)s::text[]) WITH ORDINALITY AS told (actor, place)
 ORDER BY told.place;

-- run_to_repeat
SELECT use_case, state, settings, correlation FROM run WHERE id = %(run)s FOR SHARE;

-- repeated
-- Whether a run was asked for again already.
SELECT id FROM run WHERE settings ->> 'again' = %(run)s ORDER BY created LIMIT 1;
