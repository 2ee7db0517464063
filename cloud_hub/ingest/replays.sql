-- waiting_for_table
SELECT id, device, topic, epoch, sequence, reason, payload, sha256, bytes
  FROM quarantine
 WHERE device = %(device)s AND table_hash = %(hash)s AND settled IS NULL
 ORDER BY id LIMIT %(most)s
   FOR UPDATE SKIP LOCKED;

-- asked_for
SELECT id, device, topic, epoch, sequence, reason, payload, sha256, bytes
  FROM quarantine
 WHERE replay IS NOT NULL AND settled IS NULL
 ORDER BY id LIMIT 1
   FOR UPDATE SKIP LOCKED;

-- settle
UPDATE quarantine SET settled = %(now)s, replay = NULL WHERE id = %(id)s;

-- still_refused
UPDATE quarantine
   SET reason = %(reason)s, detail = %(detail)s, replay = NULL,
       table_hash = CASE WHEN %(reason)s = 'UnknownTable' THEN table_hash END
 WHERE id = %(id)s;
