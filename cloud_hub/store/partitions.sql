-- lock
SELECT pg_advisory_xact_lock(%(key)s);

-- try_lock
SELECT pg_try_advisory_lock(%(key)s) AS mine;

-- unlock
SELECT pg_advisory_unlock(%(key)s);

-- kind
SELECT relkind::text AS kind FROM pg_class WHERE oid = %(table)s::regclass;

-- existing
SELECT child.relname AS name,
       substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz AS lower,
       substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper,
       inherits.inhdetachpending AS leaving, pg_relation_size(child.oid) AS bytes,
       EXISTS (SELECT FROM pg_class AS index JOIN pg_index ON index.oid = pg_index.indexrelid
                WHERE pg_index.indrelid = child.oid AND index.relname = child.relname || '_signal'
                  AND indisvalid) AS indexed
  FROM pg_inherits AS inherits
  JOIN pg_class AS child ON child.oid = inherits.inhrelid
 WHERE inherits.inhparent = %(table)s::regclass
   AND pg_get_expr(child.relpartbound, child.oid) IS NOT NULL  -- as it is for one dropped since this query began
 ORDER BY lower;

-- oldest_touched
-- Samples from here on have yet to be rolled up, unless the database does that by itself.
SELECT min(hour) AS hour FROM touched
 WHERE NOT EXISTS (SELECT FROM capability WHERE name = 'rollups' AND value = 'continuous');

-- oldest_sample
SELECT min(substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz) AS lower
  FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = 'sample'::regclass;

-- one_core
-- Nobody waits for an index, and everybody for ingest.
SET max_parallel_maintenance_workers = 0;

-- yield_to_vacuum
-- Less than deadlock_timeout, at which a waiting lock would end an autovacuum.
SET LOCAL lock_timeout = '200ms';

-- bare_indexes
-- Of partitions (or chunks) of samples that have no other index: BRIN reads what has no summary in full.
-- Not where someone vacuums or indexes, for that locks a partition as this does; both end with summaries.
WITH held AS MATERIALIZED (
    SELECT relation FROM pg_locks
     WHERE locktype = 'relation' AND granted AND pid <> pg_backend_pid()
       AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
)
SELECT index.oid::bigint AS oid, pg_relation_size(child.oid) / current_setting('block_size')::bigint AS pages
  FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
  JOIN pg_index ON indrelid = child.oid
  JOIN pg_class AS index ON index.oid = indexrelid
  JOIN pg_am ON pg_am.oid = index.relam
 WHERE inhparent = 'sample'::regclass AND amname = 'brin' AND pg_relation_size(child.oid) > 0
   AND child.oid NOT IN (SELECT relation FROM held)
   AND NOT EXISTS (SELECT FROM pg_index AS other JOIN pg_class ON pg_class.oid = other.indexrelid
                    WHERE other.indrelid = child.oid AND pg_class.relname = child.relname || '_signal'
                                                        AND other.indisvalid);

-- summarise
SELECT brin_summarize_new_values(%(index)s::oid) AS ranges;

-- summarise_from
SELECT sum(brin_summarize_range(%(index)s::oid, block)) AS ranges
  FROM generate_series(%(first)s::bigint, %(last)s::bigint, %(step)s) AS block;

-- wait_briefly
SET LOCAL lock_timeout = '1s';

-- drop_chunks
-- What is dropped is noted: nothing may be made of what is left of it.
WITH noted AS (
    INSERT INTO dropped (table_name, before) VALUES (%(table)s, %(before)s)
    ON CONFLICT (table_name) DO UPDATE SET before = excluded.before WHERE dropped.before < excluded.before
)
SELECT drop_chunks(%(table)s::regclass, older_than => %(before)s::timestamptz) AS name;

-- bare_chunks
-- Chunks that have closed and are neither indexed nor compressed.
SELECT chunk_schema AS schema, chunk_name AS name
  FROM timescaledb_information.chunks
 WHERE format('%%I.%%I', hypertable_schema, hypertable_name)::regclass = %(table)s::regclass
   AND range_end <= %(now)s::timestamptz AND NOT is_compressed
   AND NOT EXISTS (SELECT FROM pg_indexes WHERE schemaname = chunk_schema AND tablename = chunk_name
                                            AND indexname = chunk_name || '_signal')
 ORDER BY range_start;
