-- copy_samples
COPY sample (time, signal, value) FROM STDIN (FORMAT BINARY);

-- copy_features
COPY feature (time, machine, device, epoch, sequence, feature_set, values) FROM STDIN (FORMAT BINARY);

-- copy_predictions
COPY prediction (time, machine, device, epoch, sequence, release, values) FROM STDIN (FORMAT BINARY);

-- touch
-- A row more each time, whatever is there: it waits for nobody, and the job that makes rollups takes them out.
INSERT INTO touched (signal, hour, earliest)
SELECT signal, timestamptz 'epoch' + hour * interval '1 microsecond',
       timestamptz 'epoch' + earliest * interval '1 microsecond'
  FROM unnest(%(signals)s::integer[], %(hours)s::bigint[], %(earliest)s::bigint[])
       AS touch (signal, hour, earliest);

-- latest
INSERT INTO latest (signal, time, value)
SELECT signal, timestamptz 'epoch' + time * interval '1 microsecond', value
  FROM unnest(%(signals)s::integer[], %(times)s::bigint[], %(values)s::double precision[])
       AS newest (signal, time, value)
 ORDER BY signal
ON CONFLICT (signal) DO UPDATE SET time = excluded.time, value = excluded.value
 WHERE latest.time <= excluded.time;

-- latest_prediction
INSERT INTO latest_prediction (machine, use_case, release, time, values)
VALUES (%(machine)s, %(use_case)s, %(release)s, %(time)s, %(values)s::real[])
ON CONFLICT (machine, use_case) DO UPDATE
   SET release = excluded.release, time = excluded.time, values = excluded.values
 WHERE latest_prediction.time <= excluded.time;

-- alarm
-- Whichever of opening and closing comes first, the row ends the same.
INSERT INTO alarm (machine, use_case, release, opened, closed, severity, message)
VALUES (%(machine)s, %(use_case)s, %(release)s, %(opened)s, %(closed)s, %(severity)s, %(message)s)
ON CONFLICT (machine, use_case, opened) DO UPDATE
   SET closed = coalesce(alarm.closed, excluded.closed),
       severity = greatest(alarm.severity, excluded.severity),
       message = CASE WHEN excluded.closed IS NULL THEN excluded.message ELSE alarm.message END;

-- reports
INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout, correlation,
                    evidence, time, received)
SELECT device, use_case, directive_sequence, state, event, reason, release, rollout, correlation,
       evidence::jsonb, time, %(now)s
  FROM unnest(%(device)s::integer[], %(use_case)s::text[], %(directive_sequence)s::bigint[], %(state)s::text[],
              %(event)s::text[], %(reason)s::text[], %(release)s::text[], %(rollout)s::text[],
              %(correlation)s::text[], %(evidence)s::text[], %(time)s::timestamptz[])
       AS told (device, use_case, directive_sequence, state, event, reason, release, rollout, correlation,
                evidence, time);

-- reported_releases
-- A release runs from its probation on; what runs after a failure the next birth says.
INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
SELECT device, use_case, running, directive_sequence, state, time
  FROM unnest(%(device)s::integer[], %(use_case)s::text[], %(running)s::text[], %(directive_sequence)s::bigint[],
              %(state)s::text[], %(time)s::timestamptz[])
       AS told (device, use_case, running, directive_sequence, state, time)
ON CONFLICT (device, use_case) DO UPDATE
   SET release = CASE WHEN excluded.release = '' THEN device_release.release ELSE excluded.release END,
       accepted_sequence = greatest(device_release.accepted_sequence, excluded.accepted_sequence),
       state = excluded.state, changed = excluded.changed
 WHERE device_release.changed <= excluded.changed;

-- quarantine
INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, table_hash, payload, sha256, bytes, received)
VALUES (%(device)s, %(topic)s, %(epoch)s, %(sequence)s, %(reason)s, %(detail)s, %(table_hash)s, %(payload)s,
        %(sha256)s, %(bytes)s, %(now)s)
ON CONFLICT (topic, sha256, reason) WHERE sequence IS NULL
DO UPDATE SET times = quarantine.times + 1, received = excluded.received;

-- lock_devices
SELECT id FROM device WHERE id = ANY (%(devices)s) ORDER BY id FOR NO KEY UPDATE;

-- note_devices
UPDATE device
   SET last_batch = CASE WHEN told.came THEN greatest(device.last_batch, %(now)s) ELSE device.last_batch END,
       last_live = CASE WHEN told.live THEN greatest(device.last_live, %(now)s) ELSE device.last_live END,
       rejected = device.rejected + told.rejected
  FROM unnest(%(devices)s::integer[], %(came)s::boolean[], %(live)s::boolean[], %(rejected)s::bigint[])
       AS told (device, came, live, rejected)
 WHERE device.id = told.device;
