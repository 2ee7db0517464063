-- lock
SELECT pg_advisory_xact_lock(hashtext('andon.restored'));

-- newest_restoration
-- And whether a device has been heard since: then what comes next is another one.
SELECT id, restored,
       EXISTS (SELECT FROM device WHERE greatest(device.born, device.last_batch) > restoration.restored) AS heard
  FROM restoration ORDER BY id DESC LIMIT 1;

-- insert_restoration
INSERT INTO restoration (newest, restored) SELECT max(last_batch), %(now)s FROM device;

-- redate_restoration
UPDATE restoration SET restored = %(now)s WHERE id = %(id)s;

-- devices
-- Every device in service, with the newest moment that the database knows of its machines.
SELECT device.id, device.name, coalesce(device.enrolled, device.added) AS added, device.last_batch, device.birth,
       greatest((SELECT max(latest.time) FROM latest
                   JOIN signal ON signal.id = latest.signal
                   JOIN machine ON machine.id = signal.machine WHERE machine.device = device.id),
                (SELECT max(latest_prediction.time) FROM latest_prediction
                   JOIN machine ON machine.id = latest_prediction.machine WHERE machine.device = device.id),
                (SELECT max((SELECT max(feature.time) FROM feature WHERE feature.machine = machine.id))
                   FROM machine WHERE machine.device = device.id)) AS newest
  FROM device
 WHERE device.retired IS NULL AND device.enrolled IS NOT NULL
 ORDER BY device.name;

-- epochs
SELECT device, epoch, mark, highest FROM mark ORDER BY device, opened, epoch;

-- settled
-- What is settled beyond each mark: stretches of the ledger, with their oldest receive time, and gaps.
SELECT device, epoch, min(sequence) AS first, max(sequence) AS last, min(received) AS received
  FROM (SELECT ledger.device, ledger.epoch, ledger.sequence, ledger.received,
               ledger.sequence - row_number() OVER (PARTITION BY ledger.device, ledger.epoch
                                                    ORDER BY ledger.sequence) AS island
          FROM ledger JOIN mark USING (device, epoch) WHERE ledger.sequence > mark.mark) AS numbered
 GROUP BY device, epoch, island
UNION ALL
SELECT gap.device, gap.epoch, gap.first_sequence, gap.last_sequence, gap.noted
  FROM gap JOIN mark USING (device, epoch) WHERE gap.last_sequence > mark.mark;

-- row_at
-- The newest row of features or predictions of which everything up to it is settled.
SELECT greatest((SELECT max(time) FROM feature
                  WHERE device = %(device)s AND epoch = %(epoch)s AND sequence <= %(sequence)s AND time >= %(since)s),
                (SELECT max(time) FROM prediction
                  WHERE device = %(device)s AND epoch = %(epoch)s AND sequence <= %(sequence)s AND time >= %(since)s))
       AS time;

-- raise_highest
-- What a device held when it was last heard counts as sent: if it no longer names the epoch, that is lost.
UPDATE mark SET highest = greatest(highest, %(highest)s) WHERE device = %(device)s AND epoch = %(epoch)s;

-- extend_gap
UPDATE gap SET to_time = %(now)s, noted = %(now)s
 WHERE device = %(device)s AND reason = %(reason)s AND epoch IS NULL AND from_time = %(since)s
RETURNING id;

-- insert_gap
INSERT INTO gap (device, from_time, to_time, reason, noted)
VALUES (%(device)s, %(since)s, %(now)s, %(reason)s, %(now)s);

-- silence_devices
UPDATE device SET online = false, status_since = %(now)s, status_reason = 'not heard since the hub was restored'
 WHERE online;

-- void_tokens
-- A token works once, and this database may not know that it was used.
DELETE FROM enrol_token WHERE redeemed IS NULL;

-- pause_rollouts
UPDATE rollout SET state = 'paused', reason = %(reason)s, changed = %(now)s
 WHERE state IN ('running', 'awaiting') RETURNING id;

-- unheard
-- Devices that have said no birth since the last restore.
SELECT device.name
  FROM device, (SELECT max(restored) AS restored FROM restoration) AS newest
 WHERE device.retired IS NULL AND device.enrolled IS NOT NULL
   AND newest.restored IS NOT NULL AND coalesce(device.born <= newest.restored, true)
 ORDER BY device.name;

-- forgotten
-- Devices that accepted a directive which this database does not know: one that was issued after the backup.
-- What a device claims is kept from overflowing the next number.
SELECT device.id, device.name, device.key_fingerprint, running.use_case, running.release AS running,
       least(running.accepted_sequence, 1::bigint << 62) AS accepted, known.state = 'released' AS known,
       newest.sequence, newest.release AS wished, newest.rollout, newest.mode, newest.signed
  FROM device_release AS running
  JOIN device ON device.id = running.device
  LEFT JOIN model AS known ON known.release = running.release
  LEFT JOIN LATERAL (SELECT sequence, release, rollout, mode, signed FROM directive
                      WHERE directive.device = running.device AND directive.use_case = running.use_case
                      ORDER BY sequence DESC LIMIT 1) AS newest ON true
 WHERE device.retired IS NULL AND device.key_fingerprint IS NOT NULL
   AND least(running.accepted_sequence, 1::bigint << 62) > coalesce(newest.sequence, 0)
   AND EXISTS (SELECT FROM restoration)
 ORDER BY device.name, running.use_case;

-- restate
-- The rollout goes by the number under which its wish is out now, and by its times.
UPDATE rollout_device
   SET sequence = %(sequence)s, fingerprint = %(fingerprint)s, issued = %(now)s,
       deadline = %(now)s + (deadline - issued), expires = %(now)s + %(lifetime)s
 WHERE rollout = %(rollout)s AND device = %(id)s AND sequence = %(previous)s;

-- open_incident
INSERT INTO incident (kind, device, detail, opened) VALUES (%(kind)s, %(device)s, %(detail)s, %(now)s)
ON CONFLICT (kind, device) WHERE closed IS NULL DO UPDATE SET detail = excluded.detail
 WHERE incident.detail <> excluded.detail;

-- close_incidents
UPDATE incident SET closed = %(now)s
 WHERE kind = %(kind)s AND closed IS NULL AND device <> ALL (%(devices)s::integer[]);

-- ask
SELECT pg_notify('andon_command', %(command)s);
