-- newest
SELECT id, encode(hash, 'hex') AS hash FROM audit ORDER BY id DESC LIMIT 1;

-- hash_of
SELECT encode(hash, 'hex') AS hash FROM audit WHERE id = %(id)s;

-- count
SELECT count(*)::bigint AS entries FROM audit
 WHERE (%(actor)s = '' OR actor = %(actor)s)
   AND (%(action)s = '' OR action = %(action)s)
   AND (%(subject)s = '' OR subject LIKE %(beginning)s)
   AND (%(correlation)s = '' OR correlation = %(correlation)s)
   AND (%(start)s::timestamptz IS NULL OR time >= %(start)s)
   AND (%(end)s::timestamptz IS NULL OR time < %(end)s);

-- page
-- Newest first. Which they are is found in an index; what they say is read of one page alone.
WITH page AS MATERIALIZED (
    SELECT id FROM audit
     WHERE (%(actor)s = '' OR actor = %(actor)s)
       AND (%(action)s = '' OR action = %(action)s)
       AND (%(subject)s = '' OR subject LIKE %(beginning)s)
       AND (%(correlation)s = '' OR correlation = %(correlation)s)
       AND (%(start)s::timestamptz IS NULL OR time >= %(start)s)
       AND (%(end)s::timestamptz IS NULL OR time < %(end)s)
     ORDER BY id DESC LIMIT %(size)s OFFSET %(offset)s
)
SELECT audit.id, audit.time, audit.actor, audit.action, audit.subject, audit.detail, audit.correlation
  FROM page JOIN audit USING (id)
 ORDER BY audit.id DESC;

-- below
-- The next ones below an entry, for a file of them.
SELECT id, time, actor, action, subject, detail, correlation, encode(previous, 'hex') AS previous,
       encode(hash, 'hex') AS hash
  FROM audit
 WHERE id < %(below)s
   AND (%(actor)s = '' OR actor = %(actor)s)
   AND (%(action)s = '' OR action = %(action)s)
   AND (%(subject)s = '' OR subject LIKE %(beginning)s)
   AND (%(correlation)s = '' OR correlation = %(correlation)s)
   AND (%(start)s::timestamptz IS NULL OR time >= %(start)s)
   AND (%(end)s::timestamptz IS NULL OR time < %(end)s)
 ORDER BY id DESC LIMIT %(size)s;

-- actions
-- Every one there is, each found by one step in the index.
WITH RECURSIVE action AS (
    (SELECT action FROM audit ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT later.action FROM audit later WHERE later.action > action.action ORDER BY later.action LIMIT 1)
      FROM action WHERE action.action IS NOT NULL
)
SELECT action AS name FROM action WHERE action IS NOT NULL LIMIT 200;

-- actors
WITH RECURSIVE actor AS (
    (SELECT actor FROM audit ORDER BY actor LIMIT 1)
    UNION ALL
    SELECT (SELECT later.actor FROM audit later WHERE later.actor > actor.actor ORDER BY later.actor LIMIT 1)
      FROM actor WHERE actor.actor IS NOT NULL
)
SELECT actor AS name FROM actor WHERE actor IS NOT NULL LIMIT 500;
