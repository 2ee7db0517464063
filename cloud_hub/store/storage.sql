-- partitions
-- Of a table with native partitions: each with its bounds, bytes with indexes, and rows as far as the server has
-- counted them by itself: those it saw coming since it started, or those it estimated when it last looked.
SELECT substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz AS lower,
       substring(pg_get_expr(child.relpartbound, child.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper,
       pg_total_relation_size(child.oid) AS bytes, pg_relation_size(child.oid) > 0 AS filled,
       greatest(child.reltuples, stat.n_live_tup, 0)::bigint AS rows, false AS compressed
  FROM pg_inherits
  JOIN pg_class AS child ON child.oid = inhrelid
  LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = child.oid
 WHERE inhparent = %(table)s::regclass AND pg_get_expr(child.relpartbound, child.oid) IS NOT NULL
 ORDER BY lower NULLS LAST;

-- chunks
-- The same of a hypertable; rows are those of the table, for a compressed chunk tells none of its own.
SELECT chunk.range_start AS lower, chunk.range_end AS upper, coalesce(size.total_bytes, 0) AS bytes,
       coalesce(size.total_bytes, 0) > 0 AS filled, 0::bigint AS rows, chunk.is_compressed AS compressed
  FROM timescaledb_information.chunks AS chunk
  LEFT JOIN chunks_detailed_size(%(table)s::regclass) AS size
         ON size.chunk_schema = chunk.chunk_schema AND size.chunk_name = chunk.chunk_name
 WHERE format('%%I.%%I', chunk.hypertable_schema, chunk.hypertable_name)::regclass = %(table)s::regclass
 ORDER BY chunk.range_start;

-- rows_of_hypertable
SELECT approximate_row_count(%(table)s::regclass) AS rows;

-- hypertable_of
-- What keeps the rows of a table: itself, or what a continuous aggregate materialises into.
SELECT format('%%I.%%I', materialization_hypertable_schema, materialization_hypertable_name) AS name
  FROM timescaledb_information.continuous_aggregates
 WHERE view_schema = current_schema() AND view_name = %(table)s;

-- others
-- Every other table, the largest first; its rows by the server's own estimate.
SELECT class.relname AS name, pg_total_relation_size(class.oid) AS bytes,
       greatest(class.reltuples, stat.n_live_tup, 0)::bigint AS rows
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
