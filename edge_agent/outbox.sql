-- open_epoch
INSERT INTO epoch (epoch, mark) VALUES (:epoch, -2) RETURNING number;

-- introduce
UPDATE epoch SET mark = -1 WHERE number = :number AND mark = -2;

-- retire_epochs
-- Of an empty epoch nobody has to hear again if the hub knows a later one and has settled all of this, or if the hub
-- was never told of it. A hub that misses the epoch it took for the current one tells of a lost outbox.
DELETE FROM epoch
 WHERE number < :current AND number <> :unheard
   AND (mark = -2
        OR number < (SELECT max(number) FROM epoch WHERE mark >= 0) AND (mark >= next - 1 OR number < :oldest_empty)
        OR mark = -1 AND number < :oldest_empty)
   AND NOT EXISTS (
       SELECT 1 FROM batch WHERE id BETWEEN epoch.number << 40 AND ((epoch.number + 1) << 40) - 1
   );

-- epochs
SELECT number, epoch, next FROM epoch ORDER BY number;

-- floors
-- Where there are too many, those that the hub never heard of go first: it misses nothing of them.
SELECT epoch, next,
       (SELECT min(id) FROM batch WHERE id BETWEEN number << 40 AND ((number + 1) << 40) - 1)
  FROM (SELECT * FROM epoch ORDER BY number < :current, mark = -2, number DESC LIMIT :most)
 ORDER BY number;

-- first_from
SELECT min(id) FROM batch WHERE id >= :id;

-- held
SELECT count(*), coalesce(sum(length(payload)), 0) FROM batch;

-- oldest
SELECT from_us FROM batch ORDER BY id LIMIT 1;

-- insert_batch
INSERT INTO batch (id, class, from_us, to_us, payload) VALUES (?, ?, ?, ?, ?);

-- set_next
UPDATE epoch SET next = :next WHERE number = :number;

-- set_position
INSERT INTO position (source, position) VALUES (?, ?)
    ON CONFLICT (source) DO UPDATE SET position = excluded.position;

-- positions
SELECT source, position FROM position;

-- set_state
INSERT INTO state (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- states
SELECT name, value FROM state;

-- alarms_after
SELECT id, class, payload FROM batch WHERE class = 0 AND id > :id ORDER BY id LIMIT :limit;

-- others_after
SELECT id, class, payload FROM batch WHERE class > 0 AND id > :id ORDER BY id LIMIT :limit;

-- payload
SELECT payload FROM batch WHERE id = :id;

-- range_held
SELECT count(*), coalesce(sum(length(payload)), 0), max(id)
  FROM (SELECT id, payload FROM batch WHERE id BETWEEN :first AND :last ORDER BY id LIMIT :most);

-- forget_range
DELETE FROM batch WHERE id BETWEEN :first AND :last;

-- set_mark
UPDATE epoch SET mark = max(mark, :mark) WHERE number = :number;

-- oldest_of_class
SELECT batch.id, length(payload), from_us, to_us, epoch.epoch
  FROM batch JOIN epoch ON epoch.number = batch.id >> 40
 WHERE class = :class AND batch.id >= :id
 ORDER BY batch.id LIMIT :limit;

-- span
SELECT length(payload), from_us, to_us, epoch.epoch
  FROM batch JOIN epoch ON epoch.number = batch.id >> 40
 WHERE batch.id = :id;

-- extend_loss
UPDATE loss
   SET last_sequence = :sequence, from_us = min(from_us, :from_us), to_us = max(to_us, :to_us)
 WHERE epoch = :epoch AND last_sequence = :sequence - 1 AND reason = :reason;

-- insert_loss
INSERT INTO loss (epoch, first_sequence, last_sequence, from_us, to_us, reason)
VALUES (:epoch, :sequence, :sequence, :from_us, :to_us, :reason);

-- losses
SELECT epoch, first_sequence, last_sequence, from_us, to_us, reason FROM loss ORDER BY id LIMIT :limit;

-- losses_exist
SELECT EXISTS (SELECT 1 FROM loss);

-- forget_losses
DELETE FROM loss WHERE id IN (SELECT id FROM loss ORDER BY id LIMIT :limit);

-- reasons_missing
SELECT count(*) = 0 FROM pragma_table_info('loss') WHERE name = 'reason';

-- add_reasons
-- Older agents do not look at it: they can still open the file.
ALTER TABLE loss ADD COLUMN reason TEXT NOT NULL DEFAULT 'disk-full';

-- free_bytes
SELECT (SELECT freelist_count FROM pragma_freelist_count) * (SELECT page_size FROM pragma_page_size);

-- set_layout_1_aside
DROP INDEX batch_by_worth;
ALTER TABLE batch RENAME TO batch_of_layout_1;

-- unmoved
SELECT count(*) FROM sqlite_schema WHERE name = 'batch_of_layout_1';

-- move
INSERT INTO batch (id, class, from_us, to_us, payload)
SELECT (number << 40) + sequence, class, from_us, to_us, payload
  FROM batch_of_layout_1 ORDER BY number, sequence LIMIT :limit;

-- moved
DELETE FROM batch_of_layout_1
 WHERE rowid IN (SELECT rowid FROM batch_of_layout_1 ORDER BY number, sequence LIMIT :limit);

-- drop_layout_1
DROP TABLE batch_of_layout_1;
