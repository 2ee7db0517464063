-- samples_by_device
WITH counted AS (SELECT signal, count(*) AS count FROM sample GROUP BY signal)
SELECT device.name AS device, coalesce(sum(counted.count), 0)::bigint AS count
  FROM device
  LEFT JOIN machine ON machine.device = device.id
  LEFT JOIN signal ON signal.machine = machine.id
  LEFT JOIN counted ON counted.signal = signal.id
 GROUP BY device.name ORDER BY device.name;

-- samples_by_machine
WITH counted AS (SELECT signal, count(*) AS count FROM sample GROUP BY signal)
SELECT machine.name AS machine, coalesce(sum(counted.count), 0)::bigint AS count
  FROM machine
  LEFT JOIN signal ON signal.machine = machine.id
  LEFT JOIN counted ON counted.signal = signal.id
 GROUP BY machine.name ORDER BY machine.name;

-- predictions_by_release
SELECT release, count(*) AS count FROM prediction GROUP BY release ORDER BY release;

-- features_by_machine
SELECT machine.name AS machine, count(feature.machine) AS count
  FROM machine LEFT JOIN feature ON feature.machine = machine.id
 GROUP BY machine.name ORDER BY machine.name;

-- resent
SELECT device.name AS device, coalesce(sum(mark.resent), 0)::bigint AS count
  FROM device LEFT JOIN mark ON mark.device = device.id
 GROUP BY device.name ORDER BY device.name;

-- batches
-- Sequences settled: up to the mark, and in the ledger beyond it, less what a gap covers.
SELECT device.name AS device,
       (coalesce((SELECT sum(mark) FROM mark WHERE mark.device = device.id), 0)
        + (SELECT count(*) FROM ledger JOIN mark USING (device, epoch)
            WHERE ledger.device = device.id AND ledger.sequence > mark.mark))::bigint AS count
  FROM device ORDER BY device.name;

-- quarantined
SELECT reason, count(*) AS count FROM quarantine WHERE settled IS NULL GROUP BY reason ORDER BY reason;

-- missing
-- Sequences that never came, by the reason of their gap.
SELECT reason, sum(last_sequence - first_sequence + 1)::bigint AS count
  FROM gap WHERE first_sequence IS NOT NULL
 GROUP BY reason ORDER BY reason;
