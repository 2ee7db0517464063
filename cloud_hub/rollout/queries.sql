-- lock_use_case
-- Rollouts of one use case take turns: no two of them direct a device at the same time.
SELECT pg_advisory_xact_lock(hashtext('andon.rollout'), hashtext(%(use_case)s));

-- use_case_of
SELECT use_case FROM rollout WHERE id = %(rollout)s;

-- lock_rollout
SELECT * FROM rollout WHERE id = %(rollout)s FOR UPDATE;

-- model
SELECT m.release, m.state, m.bundle_path, m.manifest, r.correlation
  FROM model m JOIN run r ON r.id = m.run
 WHERE m.release = %(release)s;

-- selected
-- Every device the selector names, in the order it would be offered a release, and what speaks against it.
SELECT d.id, d.name,
       d.retired IS NOT NULL AS retired,
       d.key_fingerprint IS NULL AS unenrolled,
       NOT EXISTS (SELECT FROM machine m
                    WHERE m.device = d.id AND m.machine_class = %(machine_class)s) AS unfit,
       NOT ('*' = ANY (%(targets)s::text[])
            OR coalesce(d.target = ANY (%(targets)s::text[]), false)) AS off_target,
       coalesce(r.release = %(release)s, false) AS running
  FROM device d
  JOIN site s ON s.id = d.site
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
 WHERE (cardinality(%(sites)s::text[]) = 0 OR s.name = ANY (%(sites)s::text[]))
   AND (cardinality(%(tags)s::text[]) = 0 OR d.tags && %(tags)s::text[])
   AND (cardinality(%(profiles)s::text[]) = 0 OR d.profile = ANY (%(profiles)s::text[]))
   AND (cardinality(%(devices)s::text[]) = 0 OR d.name = ANY (%(devices)s::text[]))
 ORDER BY d.online DESC, d.name;

-- conflicts
-- Active rollouts of the use case that direct one of these devices.
SELECT r.id, array_agg(d.name ORDER BY d.name) AS devices
  FROM rollout r
  JOIN rollout_device rd ON rd.rollout = r.id
  JOIN device d ON d.id = rd.device
 WHERE r.use_case = %(use_case)s
   AND (r.state IN ('running', 'paused') OR rd.state = 'returning')
   AND rd.device = ANY (%(devices)s::integer[])
 GROUP BY r.id
 ORDER BY r.id;

-- count_rollouts
-- A restored database does not know every name that was given before: each restore skips a hundred.
SELECT (SELECT count(*) FROM rollout WHERE release = %(release)s)
       + 100 * (SELECT count(*) FROM restoration) AS number;

-- insert_rollout
INSERT INTO rollout (id, use_case, release, plan, state, correlation, created_by, created, changed)
VALUES (%(id)s, %(use_case)s, %(release)s, %(plan)s, 'running', %(correlation)s, %(actor)s, %(now)s, %(now)s);

-- insert_device
INSERT INTO rollout_device (rollout, device, wave, state, changed)
VALUES (%(rollout)s, %(device)s, %(wave)s, 'waiting', %(now)s);

-- set_state
UPDATE rollout SET state = %(state)s, reason = %(reason)s, changed = %(now)s WHERE id = %(rollout)s;

-- supersede
-- The devices of an undone rollout that had not yet been sent back stay with whoever supersedes it.
WITH kept AS (
    UPDATE rollout_device SET state = 'kept', reason = %(reason)s, changed = %(now)s
     WHERE rollout = %(rollout)s AND state = 'returning'
)
UPDATE rollout SET state = 'aborted', reason = %(reason)s, changed = %(now)s
 WHERE id = %(rollout)s AND state IN ('running', 'paused');

-- send_back
-- Every device that was offered the release is to go back, unless a later rollout directs it.
UPDATE rollout_device rd
   SET state = CASE WHEN newest.rollout IS DISTINCT FROM rd.rollout THEN 'kept' ELSE 'returning' END,
       reason = CASE WHEN newest.rollout IS DISTINCT FROM rd.rollout
                     THEN format('rollout %%s directs it since', newest.rollout) ELSE '' END,
       changed = %(now)s
  FROM rollout_device again
  LEFT JOIN LATERAL (SELECT i.rollout FROM directive i
                      WHERE i.device = again.device AND i.use_case = %(use_case)s
                      ORDER BY i.sequence DESC LIMIT 1) newest ON true
 WHERE rd.rollout = %(rollout)s AND rd.sequence IS NOT NULL
   AND again.rollout = rd.rollout AND again.device = rd.device;

-- last_done
-- The release of the newest rollout of a use case that ended well and still stands.
SELECT release FROM rollout
 WHERE use_case = %(use_case)s AND state = 'done' AND id <> %(rollout)s
 ORDER BY changed DESC LIMIT 1;

-- active
-- Rollouts with something left to do: waves to open, answers to await, devices to send back.
SELECT r.id
  FROM rollout r
 WHERE r.state = 'running'
    OR EXISTS (SELECT FROM rollout_device rd
                WHERE rd.rollout = r.id AND rd.sequence IS NOT NULL
                  AND rd.state <> ALL (%(settled)s::text[]))
 ORDER BY r.created;

-- fold
-- The last word of each device about the directive that offered it: a final word beats any other, then the
-- newest by the device's own clock, so the order of arrival decides nothing. One that was silent too long
-- is heard again only with a final word.
WITH newest AS (
    SELECT DISTINCT ON (rd.device) rd.device, r.state, r.reason, r.state = ANY (%(final)s::text[]) AS final
      FROM rollout_device rd
      JOIN report r ON r.device = rd.device AND r.use_case = %(use_case)s
                   AND r.directive_sequence = rd.sequence
     WHERE rd.rollout = %(rollout)s AND rd.sequence IS NOT NULL
     ORDER BY rd.device, (r.state = ANY (%(final)s::text[])) DESC, r.time DESC, r.state DESC, r.reason
)
UPDATE rollout_device rd
   SET state = newest.state, reason = newest.reason,
       changed = CASE WHEN rd.state = newest.state THEN rd.changed ELSE %(now)s END
  FROM newest
 WHERE rd.rollout = %(rollout)s AND rd.device = newest.device
   AND rd.state NOT IN ('returning', 'kept')
   AND (newest.final OR rd.state <> 'silent')
   AND (rd.state, rd.reason) IS DISTINCT FROM (newest.state, newest.reason);

-- standings
SELECT rd.device, rd.wave, rd.state, rd.changed, i.issued
  FROM rollout_device rd
  LEFT JOIN directive i ON i.device = rd.device AND i.use_case = %(use_case)s AND i.sequence = rd.sequence
 WHERE rd.rollout = %(rollout)s;

-- go_silent
UPDATE rollout_device SET state = 'silent', reason = 'no final answer in time; last word: ' || state,
       changed = %(now)s
 WHERE rollout = %(rollout)s AND device = ANY (%(devices)s::integer[]);

-- carry_out
UPDATE rollout SET state = %(state)s, reason = %(reason)s, wave = %(wave)s, changed = %(now)s
 WHERE id = %(rollout)s AND (state, reason, wave) IS DISTINCT FROM (%(state)s, %(reason)s, %(wave)s);

-- explain
UPDATE rollout SET reason = %(reason)s WHERE id = %(rollout)s AND reason <> %(reason)s;

-- to_offer
-- Devices whose turn has come, with what each runs now. One may have accepted a directive that this database,
-- restored from a backup, does not know; what a device claims is kept from overflowing the number.
SELECT d.id, d.name, d.key_fingerprint, d.retired IS NOT NULL AS retired,
       m.release, m.bundle_path, m.bundle_sha256, before.release AS previous,
       greatest((SELECT max(i.sequence) FROM directive i
                  WHERE i.device = d.id AND i.use_case = %(use_case)s),
                least(coalesce(r.accepted_sequence, 0), 1::bigint << 62)) AS last_sequence
  FROM device d
  JOIN model m ON m.release = %(release)s
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
  LEFT JOIN model before ON before.release = r.release AND before.state = 'released'
                        AND before.release <> m.release
 WHERE d.id = ANY (%(devices)s::integer[])
 ORDER BY d.id;

-- to_return
-- Devices that are to go back, with the release each had before.
SELECT d.id, d.name, d.key_fingerprint, d.retired IS NOT NULL AS retired,
       m.release, m.bundle_path, m.bundle_sha256, rd.previous,
       greatest((SELECT max(i.sequence) FROM directive i
                  WHERE i.device = d.id AND i.use_case = %(use_case)s),
                least(coalesce(r.accepted_sequence, 0), 1::bigint << 62)) AS last_sequence
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
  LEFT JOIN model m ON m.release = rd.previous AND m.state = 'released'
 WHERE rd.rollout = %(rollout)s AND rd.state = 'returning'
 ORDER BY d.id;

-- insert_directive
INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
VALUES (%(device)s, %(use_case)s, %(sequence)s, %(release)s, %(rollout)s, %(mode)s, %(signed)s, %(now)s);

-- offered
UPDATE rollout_device
   SET state = 'offered', sequence = %(sequence)s, previous = %(previous)s, reason = '', changed = %(now)s
 WHERE rollout = %(rollout)s AND device = %(device)s;

-- not_offered
UPDATE rollout_device SET state = %(state)s, reason = %(reason)s, changed = %(now)s
 WHERE rollout = %(rollout)s AND device = %(device)s;

-- notify
SELECT pg_notify('andon_directive', %(name)s);
