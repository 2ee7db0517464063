-- lock
-- Births of one device one after the other, whoever delivers them.
SELECT pg_advisory_xact_lock(%(space)s, %(device)s);

-- table_known
SELECT 1 AS there FROM signal_table WHERE device = %(device)s AND hash = %(hash)s;

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

-- keep_release
INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
VALUES (%(device)s, %(use_case)s, %(release)s, %(accepted_sequence)s, %(state)s, %(time)s)
ON CONFLICT (device, use_case) DO UPDATE
   SET release = excluded.release, accepted_sequence = excluded.accepted_sequence, state = excluded.state,
       changed = excluded.changed
 WHERE device_release.changed <= excluded.changed;

-- open_epochs
-- Epochs of which something beyond the mark came; one that the device no longer names it holds nothing of.
SELECT epoch, highest FROM mark WHERE device = %(device)s AND highest > mark;

-- open_epochs_of_birth
INSERT INTO mark (device, epoch, opened, last_seen)
SELECT %(device)s, epoch, %(now)s, %(now)s FROM unnest(%(epochs)s::bigint[]) AS named (epoch)
 ORDER BY epoch
ON CONFLICT DO NOTHING;

-- revive
-- An outbox is opened under a new epoch, always: one that was left and is current again has a twin.
WITH revived AS (
    UPDATE mark SET superseded = NULL
     WHERE device = %(device)s AND epoch = %(epoch)s AND superseded IS NOT NULL
    RETURNING device
)
INSERT INTO incident (kind, device, detail, opened)
SELECT 'two-devices-one-name', device, %(detail)s, %(now)s FROM revived
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
 WHERE device = %(device)s AND epoch <> %(epoch)s AND superseded IS NULL;

-- keep_birth
UPDATE device
   SET birth = %(birth)s, born = %(now)s, agent_version = %(agent_version)s, target = %(target)s,
       skew_s = %(skew_s)s
 WHERE id = %(device)s;

-- status
UPDATE device
   SET status_since = CASE WHEN online = %(online)s AND status_since IS NOT NULL
                           THEN status_since ELSE %(now)s END,
       online = %(online)s, status_reason = %(reason)s
 WHERE id = %(device)s;
