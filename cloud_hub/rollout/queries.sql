-- lock_use_case
-- Rollouts of one use case take turns: no two of them direct a device at the same time.
SELECT pg_advisory_xact_lock(hashtext('andon.rollout'), hashtext(%(use_case)s));

-- use_case_of
SELECT use_case FROM rollout WHERE id = %(rollout)s;

-- eyes
-- Whose voices they are who started a rollout and who approves a wave of it, and of which of them nobody knows.
SELECT voice(%(starter)s) AS starter, voice(%(actor)s) AS actor,
       CASE WHEN is_nobodys(%(actor)s) THEN %(actor)s
            WHEN is_nobodys(%(starter)s) THEN %(starter)s ELSE '' END AS nobodys;

-- lock_rollout
SELECT * FROM rollout WHERE id = %(rollout)s FOR UPDATE;

-- model
SELECT m.release, m.state, m.bundle_path, m.manifest, r.correlation
  FROM model m JOIN run r ON r.id = m.run
 WHERE m.release = %(release)s;

-- selected
-- Every device the selector names, in the order it would be offered a release, and the worst that speaks against it;
-- beside a rollout: those that it has never offered anything.
SELECT d.id, d.name, s.name AS site, s.zone,
       CASE WHEN d.retired IS NOT NULL THEN 'retired'
            WHEN d.key_fingerprint IS NULL THEN 'unenrolled'
            WHEN NOT EXISTS (SELECT FROM machine m
                              WHERE m.device = d.id AND m.machine_class = %(machine_class)s) THEN 'unfit'
            WHEN NOT ('*' = ANY (%(targets)s::text[])
                      OR coalesce(d.target = ANY (%(targets)s::text[]), false)) THEN 'off_target'
            WHEN p.device IS NOT NULL THEN 'pinned'
            WHEN r.release = %(release)s THEN 'running' END AS objection,
       coalesce(p.reason, '') AS pin, r.release AS runs
  FROM device d
  JOIN site s ON s.id = d.site
  LEFT JOIN pin p ON p.device = d.id AND p.use_case = %(use_case)s
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
 WHERE (cardinality(%(sites)s::text[]) = 0 OR s.name = ANY (%(sites)s::text[]))
   AND (cardinality(%(tags)s::text[]) = 0 OR d.tags && %(tags)s::text[])
   AND (cardinality(%(profiles)s::text[]) = 0 OR d.profile = ANY (%(profiles)s::text[]))
   AND (cardinality(%(targets_of)s::text[]) = 0 OR d.target = ANY (%(targets_of)s::text[]))
   AND (cardinality(%(devices)s::text[]) = 0 OR d.name = ANY (%(devices)s::text[]))
   AND NOT EXISTS (SELECT FROM rollout_device rd
                    WHERE rd.rollout = %(beside)s::text AND rd.device = d.id
                      AND (rd.state <> 'withdrawn' OR rd.sequence IS NOT NULL))
 ORDER BY d.online DESC, d.name;

-- started_by
SELECT id, plan FROM rollout WHERE id = %(rollout)s AND created_by = %(actor)s;

-- conflicts
-- Active rollouts of the use case that direct one of these devices; one with a device to send back is followed.
SELECT r.id, array_agg(d.name ORDER BY d.name) AS devices
  FROM rollout r
  JOIN rollout_device rd ON rd.rollout = r.id
  JOIN device d ON d.id = rd.device
 WHERE r.use_case = %(use_case)s AND r.followed
   AND (r.state IN ('running', 'awaiting', 'paused') OR rd.state = 'returning')
   AND rd.device = ANY (%(devices)s::integer[])
 GROUP BY r.id
 ORDER BY r.id;

-- claimed
-- Which of these devices an active rollout of the use case directs.
SELECT DISTINCT rd.device
  FROM rollout r JOIN rollout_device rd ON rd.rollout = r.id
 WHERE r.use_case = %(use_case)s AND r.followed
   AND rd.state <> 'withdrawn' AND (r.state IN ('running', 'awaiting', 'paused') OR rd.state = 'returning')
   AND rd.device = ANY (%(devices)s::integer[]);

-- count_rollouts
-- A restored database does not know every name that was given before: each restore skips a hundred.
SELECT (SELECT count(*) FROM rollout WHERE release = %(release)s)
       + 100 * (SELECT count(*) FROM restoration) AS number;

-- insert_rollout
INSERT INTO rollout (id, use_case, release, plan, state, approvals, correlation, created_by, created, changed)
VALUES (%(id)s, %(use_case)s, %(release)s, %(plan)s, 'running', %(approvals)s, %(correlation)s, %(actor)s, %(now)s,
        %(now)s);

-- insert_devices
INSERT INTO rollout_device (rollout, device, wave, state, changed)
SELECT %(rollout)s, device, wave, 'waiting', %(now)s
  FROM unnest(%(devices)s::integer[], %(waves)s::integer[]) AS chosen (device, wave);

-- set_state
UPDATE rollout SET state = %(state)s, reason = %(reason)s, followed = true, changed = %(now)s
 WHERE id = %(rollout)s;

-- let_open
UPDATE rollout SET approved = wave + 1 WHERE id = %(rollout)s;

-- supersede
-- The devices of an undone rollout that had not yet been sent back stay with whoever supersedes it.
WITH kept AS (
    UPDATE rollout_device SET state = 'kept', reason = %(reason)s, changed = %(now)s
     WHERE rollout = %(rollout)s AND state = 'returning'
)
UPDATE rollout SET state = 'aborted', reason = %(reason)s, changed = %(now)s
 WHERE id = %(rollout)s AND state IN ('running', 'awaiting', 'paused');

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
-- The release of the newest rollout of a use case that ended well and still stands; one whose files were removed
-- is held against no candidate any more.
SELECT release FROM rollout
 WHERE use_case = %(use_case)s AND state = 'done' AND id <> %(rollout)s
   AND EXISTS (SELECT FROM model m WHERE m.release = rollout.release AND m.state <> 'removed')
 ORDER BY changed DESC LIMIT 1;

-- active
-- Rollouts in which something can still happen: waves to open, answers to await, devices to send back.
SELECT id FROM rollout WHERE followed ORDER BY created;

-- unfollow
-- It has ended and nobody can answer any more; one that is silent may, as long as its directive holds.
UPDATE rollout SET followed = false
 WHERE id = %(rollout)s
   AND NOT EXISTS (SELECT FROM rollout_device rd
                    WHERE rd.rollout = %(rollout)s AND rd.sequence IS NOT NULL AND rd.state <> 'waiting'
                      AND (rd.state <> ALL (%(settled)s::text[])
                           OR (rd.state = 'silent' AND rd.expires > %(now)s)));

-- horizon
-- The newest report there is; once every transaction below `next` has ended, all up to it can be seen.
SELECT (SELECT coalesce(max(id), 0) FROM report) AS newest,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next;

-- fold
-- The last word of each device of which something new was heard, about the directive that offered it: a final
-- word beats any other, then the newest by the device's own clock, so the order of arrival decides nothing.
-- One that was silent is heard again with a final word, or where the plan lets it come back with any new one, as
-- long as its directive holds; that it refuses one that has expired says nothing about the release.
WITH told AS (
    SELECT DISTINCT rd.device, rd.sequence
      FROM report r
      JOIN rollout_device rd ON rd.device = r.device AND rd.sequence = r.directive_sequence
     WHERE r.id > %(since)s AND r.use_case = %(use_case)s AND rd.rollout = %(rollout)s
), newest AS (
    SELECT told.device, said.*
      FROM told
     CROSS JOIN LATERAL (SELECT r.state, r.reason, r.received, r.state = ANY (%(final)s::text[]) AS final
                           FROM report r
                          WHERE r.device = told.device AND r.use_case = %(use_case)s
                            AND r.directive_sequence = told.sequence
                          ORDER BY (r.state = ANY (%(final)s::text[])) DESC, r.time DESC, r.state DESC, r.reason
                          LIMIT 1) said
)
UPDATE rollout_device rd
   SET state = newest.state, reason = newest.reason,
       deadline = CASE WHEN newest.state = 'deferred' THEN greatest(rd.deadline, rd.expires + %(timeout)s)
                       WHEN rd.state = 'silent' THEN %(now)s + %(timeout)s
                       ELSE rd.deadline END,
       changed = CASE WHEN rd.state = newest.state THEN rd.changed ELSE %(now)s END
  FROM newest
 WHERE rd.rollout = %(rollout)s AND rd.device = newest.device
   AND rd.state NOT IN ('waiting', 'returning', 'kept', 'withdrawn')
   AND (rd.state <> 'silent'
        OR (newest.final AND NOT (newest.state = 'refused' AND newest.received >= rd.expires))
        OR (%(returns)s AND newest.received > rd.changed AND %(now)s < rd.expires))
   AND (rd.state, rd.reason) IS DISTINCT FROM (newest.state, newest.reason);

-- go_silent
-- `least` is what devices have in any case: networks are no faster where a clock runs fast.
UPDATE rollout_device SET state = 'silent', reason = 'no final answer in time; last word: ' || state,
       changed = %(now)s
 WHERE rollout = %(rollout)s AND deadline <= %(now)s AND issued <= %(now)s - %(least)s
   AND state <> ALL (%(settled)s::text[]) AND state <> ALL (%(idle)s::text[]);

-- withdraw
-- Nothing more is asked of a device that is retired, and nothing at all of one that was pinned before its turn.
UPDATE rollout_device rd
   SET state = 'withdrawn', changed = %(now)s,
       reason = CASE WHEN d.retired IS NOT NULL THEN 'retired' ELSE 'pinned: ' || p.reason END
  FROM device d
  LEFT JOIN pin p ON p.device = d.id AND p.use_case = %(use_case)s
 WHERE rd.rollout = %(rollout)s AND d.id = rd.device
   AND rd.state <> ALL (%(settled)s::text[]) AND rd.state <> 'returning'
   AND (d.retired IS NOT NULL OR (p.device IS NOT NULL AND rd.state = 'waiting'));

-- direct_anew
-- A device with another key than its directive was signed for refuses it, so it needs another one.
UPDATE rollout_device rd
   SET state = %(state)s, reason = 'it has a new key since it was offered the release', changed = %(now)s
  FROM device d
 WHERE rd.rollout = %(rollout)s AND d.id = rd.device AND d.retired IS NULL
   AND rd.state <> ALL (%(settled)s::text[]) AND rd.state <> ALL (%(idle)s::text[])
   AND rd.fingerprint <> d.key_fingerprint;

-- returned
-- Devices that were silent until their directive had expired, or have another key, and were heard since: once each.
SELECT rd.device
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
 WHERE rd.rollout = %(rollout)s AND rd.state = 'silent' AND NOT rd.again
   AND (rd.expires <= %(now)s OR rd.fingerprint <> d.key_fingerprint)
   AND d.retired IS NULL
   AND (greatest(d.last_batch, d.born) > rd.changed OR (d.online AND d.status_since > rd.changed));

-- offer_again
UPDATE rollout_device
   SET state = 'waiting', wave = %(wave)s, again = true, changed = %(now)s,
       reason = 'it came back after its directive had expired'
 WHERE rollout = %(rollout)s AND device = ANY (%(devices)s::integer[]);

-- join
INSERT INTO rollout_device AS rd (rollout, device, wave, state, reason, changed)
SELECT %(rollout)s, device, %(wave)s, 'waiting', 'it came while the rollout ran', %(now)s
  FROM unnest(%(devices)s::integer[]) AS late (device)
ON CONFLICT (rollout, device) DO UPDATE
   SET wave = excluded.wave, state = excluded.state, reason = excluded.reason, changed = excluded.changed
 WHERE rd.state = 'withdrawn';

-- gate_wave
-- A wave that late devices made needs the approval that the one before it needed.
UPDATE rollout SET approvals = approvals || %(wave)s::integer
 WHERE id = %(rollout)s AND %(wave)s - 1 = ANY (approvals) AND NOT %(wave)s = ANY (approvals);

-- groups
SELECT wave, state, count(*)::integer AS devices
  FROM rollout_device WHERE rollout = %(rollout)s GROUP BY wave, state;

-- carry_out
UPDATE rollout
   SET state = %(state)s, reason = %(reason)s, wave = %(wave)s, passed = %(passed)s, changed = %(now)s
 WHERE id = %(rollout)s
   AND (state, reason, wave, passed) IS DISTINCT FROM (%(state)s, %(reason)s, %(wave)s, %(passed)s::timestamptz);

-- halted
-- The first failure that counts, as the hub received it; of a silent device, when its time was up.
UPDATE rollout
   SET halted = %(now)s,
       first_failure = (SELECT min(coalesce((SELECT min(r.received) FROM report r
                                              WHERE r.device = rd.device AND r.use_case = %(use_case)s
                                                AND r.directive_sequence = rd.sequence AND r.state = rd.state),
                                            rd.changed))
                          FROM rollout_device rd
                         WHERE rd.rollout = %(rollout)s AND rd.state = ANY (%(failures)s::text[]))
 WHERE id = %(rollout)s
RETURNING first_failure;

-- explain
UPDATE rollout SET reason = %(reason)s WHERE id = %(rollout)s AND reason <> %(reason)s;

-- zones
-- Where devices wait whose wave is open.
SELECT DISTINCT s.zone
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  JOIN site s ON s.id = d.site
 WHERE rd.rollout = %(rollout)s AND rd.state = 'waiting' AND rd.wave <= %(wave)s;

-- await_windows
UPDATE rollout_device rd SET reason = closed.reason
  FROM device d
  JOIN site s ON s.id = d.site
  JOIN unnest(%(zones)s::text[], %(reasons)s::text[]) AS closed (zone, reason) ON closed.zone = s.zone
 WHERE rd.rollout = %(rollout)s AND rd.state = 'waiting' AND rd.wave <= %(wave)s AND d.id = rd.device
   AND rd.reason <> closed.reason;

-- to_offer
-- Devices whose turn has come, with what each runs now. One may have accepted a directive that this database,
-- restored from a backup, does not know; what a device claims is kept from overflowing the number.
SELECT d.id, d.name, d.key_fingerprint, d.retired IS NOT NULL AS retired, p.reason AS pin,
       m.release, m.bundle_path, m.bundle_sha256, coalesce(rd.previous, before.release) AS previous,
       greatest((SELECT max(i.sequence) FROM directive i
                  WHERE i.device = d.id AND i.use_case = %(use_case)s),
                least(coalesce(r.accepted_sequence, 0), 1::bigint << 62)) AS last_sequence
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  JOIN site s ON s.id = d.site
  JOIN model m ON m.release = %(release)s
  LEFT JOIN pin p ON p.device = d.id AND p.use_case = %(use_case)s
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
  LEFT JOIN model before ON before.release = r.release AND before.state = 'released'
                        AND before.release <> m.release
 WHERE rd.rollout = %(rollout)s AND rd.state = 'waiting' AND rd.wave <= %(wave)s
   AND s.zone <> ALL (%(closed)s::text[])
 ORDER BY rd.wave, d.online DESC, d.name
 LIMIT %(room)s;

-- to_return
-- Devices that are to go back, with the release each had before.
SELECT d.id, d.name, d.key_fingerprint, d.retired IS NOT NULL AS retired, p.reason AS pin,
       m.release, m.bundle_path, m.bundle_sha256, rd.previous,
       greatest((SELECT max(i.sequence) FROM directive i
                  WHERE i.device = d.id AND i.use_case = %(use_case)s),
                least(coalesce(r.accepted_sequence, 0), 1::bigint << 62)) AS last_sequence
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  LEFT JOIN pin p ON p.device = d.id AND p.use_case = %(use_case)s
  LEFT JOIN device_release r ON r.device = d.id AND r.use_case = %(use_case)s
  LEFT JOIN model m ON m.release = rd.previous AND m.state = 'released'
 WHERE rd.rollout = %(rollout)s AND rd.state = 'returning'
 ORDER BY d.id;

-- insert_directives
INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
SELECT device, %(use_case)s, sequence, release, %(rollout)s, %(mode)s, signed, %(now)s
  FROM unnest(%(devices)s::integer[], %(sequences)s::bigint[], %(releases)s::text[], %(signed)s::bytea[])
       AS wish (device, sequence, release, signed);

-- offered
UPDATE rollout_device rd
   SET state = 'offered', sequence = wish.sequence, previous = wish.previous, fingerprint = wish.fingerprint,
       issued = %(now)s, expires = %(expires)s, deadline = %(now)s + %(timeout)s, reason = '', changed = %(now)s
  FROM unnest(%(devices)s::integer[], %(sequences)s::bigint[], %(previous)s::text[], %(fingerprints)s::text[])
       AS wish (device, sequence, previous, fingerprint)
 WHERE rd.rollout = %(rollout)s AND rd.device = wish.device;

-- not_offered
UPDATE rollout_device rd SET state = %(state)s, reason = told.reason, changed = %(now)s
  FROM unnest(%(devices)s::integer[], %(reasons)s::text[]) AS told (device, reason)
 WHERE rd.rollout = %(rollout)s AND rd.device = told.device;

-- announce
SELECT pg_notify('andon_directive', name) FROM unnest(%(names)s::text[]) AS told (name);

-- known_use_case
SELECT FROM model WHERE use_case = %(use_case)s LIMIT 1;

-- pin
-- Pinned anew it stays pinned, for the reason given last.
INSERT INTO pin (device, use_case, reason, pinned_by, pinned)
SELECT id, %(use_case)s, %(reason)s, %(actor)s, %(now)s FROM device WHERE name = %(name)s AND retired IS NULL
ON CONFLICT (device, use_case) DO UPDATE
   SET reason = excluded.reason, pinned_by = excluded.pinned_by, pinned = excluded.pinned
RETURNING device;

-- under_way
-- What the device is at for the use case: a directive is out, and no final word came.
SELECT rd.rollout
  FROM rollout_device rd
  JOIN rollout r ON r.id = rd.rollout
  JOIN device d ON d.id = rd.device
 WHERE d.name = %(name)s AND r.use_case = %(use_case)s AND r.followed AND rd.sequence IS NOT NULL
   AND rd.state <> ALL (%(settled)s::text[]) AND rd.state <> ALL (%(idle)s::text[])
 LIMIT 1;

-- unpin
DELETE FROM pin USING device
 WHERE device.id = pin.device AND device.name = %(name)s AND pin.use_case = %(use_case)s
RETURNING pin.device;
