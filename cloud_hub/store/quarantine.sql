-- list
SELECT quarantine.id, device.name AS device, quarantine.topic, quarantine.reason, quarantine.detail,
       quarantine.epoch, quarantine.sequence, quarantine.bytes, quarantine.times, quarantine.received,
       quarantine.replay, quarantine.settled, encode(quarantine.sha256, 'hex') AS sha256
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device
 WHERE (%(id)s::bigint IS NULL OR quarantine.id = %(id)s)
   AND (%(device)s::text IS NULL OR device.name = %(device)s OR quarantine.topic LIKE 'andon/v1/' || %(device)s || '/%%')
   AND (%(reason)s::text IS NULL OR quarantine.reason = %(reason)s)
   AND (%(every)s OR quarantine.settled IS NULL)
 ORDER BY quarantine.id DESC LIMIT %(most)s;

-- by_reason
SELECT reason, sum(times)::bigint AS messages, count(DISTINCT coalesce(device.name, quarantine.topic)) AS devices,
       min(received) AS first, max(received) AS last
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device
 WHERE settled IS NULL
 GROUP BY reason
 ORDER BY messages DESC, reason;

-- payload
SELECT payload FROM quarantine WHERE id = %(id)s;

-- ask_replay
UPDATE quarantine SET replay = %(now)s WHERE id = %(id)s AND settled IS NULL AND replay IS NULL;

-- ask_replay_of
-- The oldest first; those of which it was asked before and not tried yet are named, too.
WITH chosen AS (
    SELECT id, replay FROM quarantine
     WHERE settled IS NULL AND reason = %(reason)s AND topic LIKE 'andon/v1/%%/batch'
       AND (%(device)s::text IS NULL OR topic = 'andon/v1/' || %(device)s || '/batch')
     ORDER BY id LIMIT %(most)s
), fresh AS (
    UPDATE quarantine SET replay = %(now)s FROM chosen WHERE quarantine.id = chosen.id AND quarantine.replay IS NULL
    RETURNING quarantine.id
)
SELECT id, id IN (SELECT id FROM fresh) AS fresh FROM chosen ORDER BY id;

-- answered
SELECT count(*) FILTER (WHERE replay IS NOT NULL) AS waiting, count(*) FILTER (WHERE settled IS NOT NULL) AS stored
  FROM quarantine WHERE id = ANY (%(ids)s);

-- wake
SELECT pg_notify('andon_replay', '');

-- expire
-- What waits longer than anyone will ask for it, and what was stored after all.
DELETE FROM quarantine
 WHERE received < %(waiting)s OR (settled IS NOT NULL AND received < %(settled)s);
