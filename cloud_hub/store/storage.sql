-- partitions
-- Of a table with native partitions: each with its bounds, bytes with indexes, and rows: as many a page as there were
-- when the server last looked; where that was never or over little, those that it saw coming.
SELECT substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz AS lower,
       substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper,
       pg_total_relation_size(child.oid) AS bytes, pg_relation_size(child.oid) > 0 AS filled,
       (CASE WHEN child.relpages >= 10 AND child.reltuples > 0
            THEN child.reltuples / child.relpages * (pg_relation_size(child.oid) / current_setting('block_size')::bigint)
            ELSE greatest(child.reltuples, stat.n_live_tup, 0) END)::bigint AS rows,
       false AS compressed
  FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
  LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = child.oid
 WHERE inhparent = %(table)s::regclass AND pg_get_expr(child.relpartbound, child.oid) IS NOT NULL
 ORDER BY lower NULLS LAST;

-- chunks
-- The same of a hypertable, whose chunks come with their first row. Of compressed ones TimescaleDB keeps how many rows
-- it packed; its approximate_row_count takes every pack for a full one, and packs of slow signals are nearly empty.
SELECT chunk.range_start AS lower, chunk.range_end AS upper, coalesce(size.total_bytes, 0) AS bytes, true AS filled,
       CASE WHEN chunk.is_compressed
            THEN coalesce(packed.numrows_pre_compression, 0)
            WHEN class.relpages >= 10 AND class.reltuples > 0
            THEN class.reltuples / class.relpages * (pg_relation_size(class.oid) / current_setting('block_size')::bigint)
            ELSE greatest(class.reltuples, stat.n_live_tup, 0) END::bigint AS rows,
       chunk.is_compressed AS compressed
  FROM timescaledb_information.chunks AS chunk
  JOIN pg_class AS class ON class.oid = format('%%I.%%I', chunk.chunk_schema, chunk.chunk_name)::regclass
  LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid
  LEFT JOIN chunks_detailed_size(%(table)s::regclass) AS size
         ON size.chunk_schema = chunk.chunk_schema AND size.chunk_name = chunk.chunk_name
  LEFT JOIN _timescaledb_catalog.chunk AS kept
         ON kept.schema_name = chunk.chunk_schema AND kept.table_name = chunk.chunk_name
  LEFT JOIN _timescaledb_catalog.compression_chunk_size AS packed ON packed.chunk_id = kept.id
 WHERE format('%%I.%%I', chunk.hypertable_schema, chunk.hypertable_name)::regclass = %(table)s::regclass
 ORDER BY chunk.range_start;

-- hypertable_of
-- What keeps the rows of a table: itself, or what a continuous aggregate materialises into.
SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name) AS name
  FROM timescaledb_information.continuous_aggregates
 WHERE view_schema = current_schema() AND view_name = %(table)s;

-- others
-- Every other table, the largest first; its rows by the server's own estimate.
SELECT class.relname AS name, pg_total_relation_size(class.oid) AS bytes,
       (CASE WHEN class.relpages >= 10 AND class.reltuples > 0
            THEN class.reltuples / class.relpages * (pg_relation_size(class.oid) / current_setting('block_size')::bigint)
            ELSE greatest(class.reltuples, stat.n_live_tup, 0) END)::bigint AS rows
  FROM pg_class AS class LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid
 WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind = 'r'
   AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = class.oid) AND class.relname <> ALL (%(tables)s)
 ORDER BY pg_total_relation_size(class.oid) DESC, class.relname LIMIT %(most)s;

-- whole
SELECT pg_database_size(current_database()) AS bytes;

-- backlog
-- Hours of signals that are in no rollup yet, of hours that have ended; counted as far as it is worth it.
SELECT count(*) AS hours, min(hour) AS oldest, count(*) = %(most)s AS more
  FROM (SELECT hour FROM touched WHERE hour < %(open)s LIMIT %(most)s) AS waiting;

-- place
-- Where the server keeps its files, for those who may know.
SELECT setting AS folder FROM pg_settings WHERE name = 'data_directory';
