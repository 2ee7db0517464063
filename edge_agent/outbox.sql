-- open_epoch
INSERT INTO epoch (epoch) VALUES (:epoch) RETURNING number;

-- retire_epochs
-- An epoch goes when nothing of it is held and the hub has settled all of it, or nothing was ever written in it.
DELETE FROM epoch
 WHERE number <> :current AND (mark >= next - 1 OR number < :oldest_empty)
   AND NOT EXISTS (SELECT 1 FROM batch WHERE batch.number = epoch.number);

-- epochs
SELECT number, epoch FROM epoch ORDER BY number;

-- floors
SELECT epoch, next, (SELECT min(sequence) FROM batch WHERE batch.number = epoch.number)
  FROM epoch
 ORDER BY number;

-- floor
SELECT min(sequence) FROM batch WHERE number = :number;

-- held
SELECT count(*), coalesce(sum(bytes), 0) FROM batch;

-- insert_batch
INSERT INTO batch (number, sequence, class, from_us, to_us, bytes, payload)
VALUES (:number, :sequence, :class, :from_us, :to_us, :bytes, :payload);

-- set_next
UPDATE epoch SET next = :next WHERE number = :number;

-- set_position
INSERT INTO position (source, position) VALUES (:source, :position)
    ON CONFLICT (source) DO UPDATE SET position = excluded.position;

-- positions
SELECT source, position FROM position;

-- set_state
INSERT INTO state (name, value) VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- states
SELECT name, value FROM state;

-- alarms_after
SELECT number, sequence, class, payload FROM batch
 WHERE class = 0 AND (number, sequence) > (:number, :sequence)
 ORDER BY number, sequence LIMIT :limit;

-- others_after
SELECT number, sequence, class, payload FROM batch
 WHERE class > 0 AND (number, sequence) > (:number, :sequence)
 ORDER BY number, sequence LIMIT :limit;

-- payload
SELECT payload FROM batch WHERE number = :number AND sequence = :sequence;

-- range_held
SELECT count(*), coalesce(sum(bytes), 0) FROM batch
 WHERE number = :number AND sequence BETWEEN :first AND :last;

-- forget_range
DELETE FROM batch WHERE number = :number AND sequence BETWEEN :first AND :last;

-- set_mark
UPDATE epoch SET mark = max(mark, :mark) WHERE number = :number;

-- least_precious
SELECT batch.number, sequence, bytes, from_us, to_us, epoch.epoch
  FROM batch JOIN epoch ON epoch.number = batch.number
 WHERE class > 0
 ORDER BY class DESC, batch.number, sequence LIMIT :limit;

-- extend_loss
UPDATE loss
   SET last_sequence = :sequence, from_us = min(from_us, :from_us), to_us = max(to_us, :to_us)
 WHERE epoch = :epoch AND last_sequence = :sequence - 1;

-- insert_loss
INSERT INTO loss (epoch, first_sequence, last_sequence, from_us, to_us)
VALUES (:epoch, :sequence, :sequence, :from_us, :to_us);

-- losses
SELECT epoch, first_sequence, last_sequence, from_us, to_us FROM loss ORDER BY id LIMIT :limit;

-- forget_losses
DELETE FROM loss WHERE id IN (SELECT id FROM loss ORDER BY id LIMIT :limit);
