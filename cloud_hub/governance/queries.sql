-- lock
-- One writer at a time, until its transaction ends: ids get no holes and hashes no forks.
SELECT pg_advisory_xact_lock(hashtext('andon.audit'));

-- head
-- The newest entry, and the detail as the database will give it back.
SELECT coalesce(max(id), 0) AS id,
       (SELECT hash FROM audit ORDER BY id DESC LIMIT 1) AS hash,
       %(detail)s::jsonb::text AS detail
  FROM audit;

-- insert
INSERT INTO audit (id, time, actor, action, subject, detail, correlation, previous, hash)
VALUES (%(id)s, %(time)s, %(actor)s, %(action)s, %(subject)s, %(detail)s::jsonb, %(correlation)s,
        %(previous)s, %(hash)s);

-- walk
SELECT id, time, actor, action, subject, detail::text AS detail, correlation, previous, hash
  FROM audit
 WHERE id > %(after)s
 ORDER BY id
 LIMIT %(most)s;

-- one
SELECT id, time, actor, action, subject, detail, correlation, encode(previous, 'hex') AS previous,
       encode(hash, 'hex') AS hash
  FROM audit WHERE id = %(id)s;

-- newest
-- The newest entries about a subject or within a correlation; empty texts mean any.
SELECT id, time, actor, action, subject, detail, correlation, encode(previous, 'hex') AS previous,
       encode(hash, 'hex') AS hash
  FROM audit
 WHERE (%(subject)s = '' OR subject = %(subject)s)
   AND (%(correlation)s = '' OR correlation = %(correlation)s)
 ORDER BY id DESC
 LIMIT %(limit)s;
