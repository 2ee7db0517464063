-- devices
SELECT id, name, enrolled IS NOT NULL AS enrolled, retired IS NOT NULL AS retired
  FROM device WHERE name = ANY (%(names)s);

-- open_marks
INSERT INTO mark (device, epoch, opened, last_seen)
SELECT device, epoch, %(now)s, %(now)s
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[]) AS told (device, epoch)
 ORDER BY device, epoch
ON CONFLICT DO NOTHING;

-- claim
-- Sorted by key, so that two processes with the same batches wait for each other in one order.
INSERT INTO ledger (device, epoch, sequence, hash, outcome, received)
SELECT device, epoch, sequence, hash, outcome, %(now)s
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(sequences)s::bigint[], %(hashes)s::bytea[],
              %(outcomes)s::text[]) AS claimed (device, epoch, sequence, hash, outcome)
 ORDER BY device, epoch, sequence
ON CONFLICT DO NOTHING
RETURNING device, epoch, sequence;

-- read_marks
-- Shared locks: any number of processes store at once, and no mark moves meanwhile.
SELECT mark.device, mark.epoch, mark.mark
  FROM mark
  JOIN unnest(%(devices)s::integer[], %(epochs)s::bigint[]) AS told (device, epoch) USING (device, epoch)
 ORDER BY mark.device, mark.epoch
   FOR SHARE OF mark;

-- claimed_before
SELECT ledger.device, ledger.epoch, ledger.sequence, ledger.hash
  FROM ledger
  JOIN unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(sequences)s::bigint[])
       AS again (device, epoch, sequence) USING (device, epoch, sequence);

-- lock_gaps
SELECT pg_advisory_xact_lock(%(key)s);

-- open_gap
-- Take one sequence out of the gap that covers it; says how many did.
WITH hit AS (
    DELETE FROM gap
     WHERE device = %(device)s AND epoch = %(epoch)s
       AND %(sequence)s BETWEEN first_sequence AND last_sequence
    RETURNING *
), pieces AS (
    INSERT INTO gap (device, machine, epoch, first_sequence, last_sequence, from_time, to_time, reason, noted)
    SELECT device, machine, epoch, piece.first, piece.last, from_time, to_time, reason, noted
      FROM hit, LATERAL (VALUES (first_sequence, %(sequence)s - 1), (%(sequence)s + 1, last_sequence))
                AS piece (first, last)
     WHERE piece.first <= piece.last
)
SELECT count(*) AS hits FROM hit;

-- gaps_between
SELECT id, first_sequence, last_sequence, reason
  FROM gap
 WHERE device = %(device)s AND epoch = %(epoch)s
   AND last_sequence >= %(first)s AND first_sequence <= %(last)s;

-- insert_gap
INSERT INTO gap (device, machine, epoch, first_sequence, last_sequence, from_time, to_time, reason, noted)
VALUES (%(device)s, %(machine)s, %(epoch)s, %(first)s, %(last)s, %(from_time)s, %(to_time)s, %(reason)s, %(now)s);

-- lock_marks
SELECT mark.device, mark.epoch, mark.mark, mark.floor, device.name
  FROM mark
  JOIN unnest(%(devices)s::integer[], %(epochs)s::bigint[]) AS told (device, epoch) USING (device, epoch)
  JOIN device ON device.id = mark.device
 ORDER BY mark.device, mark.epoch
   FOR NO KEY UPDATE OF mark;

-- ledger_ranges
SELECT device, epoch, min(sequence) AS first, max(sequence) AS last
  FROM (SELECT ledger.device, ledger.epoch, ledger.sequence,
               ledger.sequence - row_number() OVER (PARTITION BY ledger.device, ledger.epoch
                                                    ORDER BY ledger.sequence) AS island
          FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(marks)s::bigint[])
               AS told (device, epoch, mark)
          JOIN ledger ON ledger.device = told.device AND ledger.epoch = told.epoch
                     AND ledger.sequence > told.mark) AS numbered
 GROUP BY device, epoch, island;

-- gap_ranges
SELECT gap.id, gap.device, gap.epoch, gap.first_sequence AS first, gap.last_sequence AS last
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(marks)s::bigint[]) AS told (device, epoch, mark)
  JOIN gap ON gap.device = told.device AND gap.epoch = told.epoch AND gap.last_sequence > told.mark
 ORDER BY gap.id;

-- doubtful
-- What was given up for lost although its device, going by the floor it told, may hold it: a twin with its name
-- did not know of it. It will come, and then the gap shrinks; until then nobody is told that it is settled.
SELECT gap.device, gap.epoch, greatest(gap.first_sequence, told.floor) AS first, gap.last_sequence AS last
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(floors)s::bigint[]) AS told (device, epoch, floor)
  JOIN gap ON gap.device = told.device AND gap.epoch = told.epoch AND gap.last_sequence >= told.floor
 WHERE gap.reason = 'lost-at-hub'
 ORDER BY gap.device, gap.epoch, gap.first_sequence;

-- cut_gap
INSERT INTO gap (device, machine, epoch, first_sequence, last_sequence, from_time, to_time, reason, noted)
SELECT device, machine, epoch, %(first)s, %(last)s, from_time, to_time, reason, noted FROM gap WHERE id = %(id)s;

-- drop_gap
DELETE FROM gap WHERE id = %(id)s;

-- move_marks
UPDATE mark
   SET mark = told.mark, floor = greatest(mark.floor, told.floor), resent = mark.resent + told.resent,
       backlog = mark.backlog + told.backlog,
       highest = greatest(mark.highest, told.highest), last_seen = %(now)s
  FROM unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(marks)s::bigint[], %(floors)s::bigint[],
              %(resents)s::bigint[], %(backlogs)s::bigint[], %(highests)s::bigint[])
       AS told (device, epoch, mark, floor, resent, backlog, highest)
 WHERE mark.device = told.device AND mark.epoch = told.epoch;

-- prune
-- Only what lies below a mark that was committed before.
DELETE FROM ledger
 USING unnest(%(devices)s::integer[], %(epochs)s::bigint[], %(marks)s::bigint[]) AS told (device, epoch, mark)
 WHERE ledger.device = told.device AND ledger.epoch = told.epoch AND ledger.sequence <= told.mark;
