-- lock
-- Births of one device one after the other, whoever delivers them; the devices come in the order of their ids.
SELECT pg_advisory_xact_lock(%(space)s, device) FROM unnest(%(devices)s::integer[]) AS born (device);

-- tables_known
SELECT device FROM signal_table
  JOIN unnest(%(devices)s::integer[], %(hashes)s::bytea[]) AS told (device, hash) USING (device, hash);

-- machines
SELECT machine.id, machine.name, machine.device, owner.name AS owner, owner.retired IS NOT NULL AS free
  FROM machine JOIN device AS owner ON owner.id = machine.device
 WHERE machine.name = ANY (%(names)s);

-- keep_machine
INSERT INTO machine (name, device, machine_class, feature_set, added)
VALUES (%(name)s, %(device)s, %(machine_class)s, %(feature_set)s, %(now)s)
ON CONFLICT (name) DO UPDATE
   SET device = excluded.device, machine_class = excluded.machine_class, feature_set = excluded.feature_set
 WHERE machine.device = excluded.device
    OR EXISTS (SELECT FROM device WHERE device.id = machine.device AND device.retired IS NOT NULL)
RETURNING id;

-- keep_signals
INSERT INTO signal (machine, name, unit, kind, rate_hz)
SELECT machine, name, unit, kind, rate_hz
  FROM unnest(%(machines)s::integer[], %(names)s::text[], %(units)s::text[], %(kinds)s::text[],
              %(rates)s::double precision[]) AS told (machine, name, unit, kind, rate_hz)
 ORDER BY machine, name, unit, kind
ON CONFLICT (machine, name, unit, kind) DO NOTHING;

-- signals
SELECT id, machine, name, unit, kind FROM signal WHERE machine = ANY (%(machines)s);

-- keep_table
INSERT INTO signal_table (device, hash, body, machines, signals, seen)
VALUES (%(device)s, %(hash)s, %(body)s, %(machines)s, %(signals)s, %(now)s);

-- keep_releases
INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
SELECT device, use_case, release, accepted_sequence, state, time
  FROM unnest(%(devices)s::integer[], %(use_cases)s::text[], %(releases)s::text[], %(sequences)s::bigint[],
              %(states)s::text[], %(times)s::timestamptz[])
       AS told (device, use_case, release, accepted_sequence, state, time)
 ORDER BY device, use_case
ON CONFLICT (device, use_case) DO UPDATE
   SET release = excluded.release, accepted_sequence = excluded.accepted_sequence, state = excluded.state,
       changed = excluded.changed
 WHERE device_release.changed <= excluded.changed;

-- open_epochs
INSERT INTO mark (device, epoch, opened, last_seen)
SELECT device, epoch, %(now)s, %(now)s
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[]) AS named (device, epoch)
 ORDER BY device, epoch
ON CONFLICT DO NOTHING;

-- lock_marks_of
-- Every epoch of these devices, locked in the order in which batches lock them.
SELECT device, epoch, mark, highest, superseded IS NOT NULL AS superseded
  FROM mark WHERE device = ANY (%(devices)s::integer[])
 ORDER BY device, epoch
   FOR NO KEY UPDATE;

-- revive
-- An outbox is opened under a new epoch, always: one that was left and is current again has a twin.
WITH revived AS (
    UPDATE mark SET superseded = NULL
      FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(details)s::text[])
           AS named (device, epoch, detail)
     WHERE mark.device = named.device AND mark.epoch = named.epoch AND superseded IS NOT NULL
    RETURNING named.device, named.detail
)
INSERT INTO incident (kind, device, detail, opened)
SELECT 'two-devices-one-name', device, detail, %(now)s FROM revived
ON CONFLICT DO NOTHING;

-- lose_outbox
-- An epoch that was the current one and is named no more: its outbox is gone (a wiped disk, an older image), and
-- with it what was written after the newest that came. Of a device that is seldom heard one gap grows.
WITH gone AS (
    SELECT max(last_seen) AS heard FROM mark
     WHERE device = %(device)s AND superseded IS NULL AND epoch <> ALL (%(epochs)s::bigint[])
    HAVING count(*) > 0
), newest AS (
    SELECT max(latest.time) AS time
      FROM latest
      JOIN signal ON signal.id = latest.signal
      JOIN machine ON machine.id = signal.machine
     WHERE machine.device = %(device)s
), lost AS (
    -- What came of the new outbox before this birth must not hide what the old one held: hence also when that was heard.
    SELECT least(coalesce(newest.time - %(together)s::interval, device.enrolled, device.added),
                 gone.heard, %(now)s::timestamptz) AS since
      FROM gone, newest, device WHERE device.id = %(device)s
), extended AS (
    UPDATE gap SET to_time = %(now)s, noted = %(now)s
      FROM lost
     WHERE gap.device = %(device)s AND gap.reason = %(reason)s AND gap.epoch IS NULL
       AND gap.from_time <= lost.since AND gap.to_time >= lost.since
    RETURNING gap.id
)
INSERT INTO gap (device, from_time, to_time, reason, noted)
SELECT %(device)s, lost.since, %(now)s, %(reason)s, %(now)s
  FROM lost WHERE NOT EXISTS (SELECT FROM extended);

-- supersede
UPDATE mark SET superseded = %(now)s
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[]) AS named (device, epoch)
 WHERE mark.device = named.device AND mark.epoch <> named.epoch AND superseded IS NULL;

-- keep_births
UPDATE device
   SET birth = told.birth::jsonb, born = %(now)s, agent_version = told.agent, target = told.target,
       skew_s = told.skew
  FROM unnest(%(devices)s::integer[], %(births)s::text[], %(agents)s::text[], %(targets)s::text[],
              %(skews)s::double precision[]) AS told (device, birth, agent, target, skew)
 WHERE device.id = told.device;

-- statuses
UPDATE device
   SET status_since = CASE WHEN device.online = told.online AND status_since IS NOT NULL
                           THEN status_since ELSE %(now)s END,
       online = told.online, status_reason = told.reason
  FROM unnest(%(devices)s::integer[], %(online)s::boolean[], %(reasons)s::text[])
       AS told (device, online, reason)
 WHERE device.id = told.device;

-- awaited
-- Those of these signal tables that batches in quarantine wait for.
SELECT DISTINCT device, table_hash
  FROM quarantine
  JOIN unnest(%(devices)s::integer[], %(hashes)s::bytea[]) AS born (device, table_hash) USING (device, table_hash)
 WHERE settled IS NULL;
