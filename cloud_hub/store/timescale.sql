-- continuous
-- How many of the rollups are continuous aggregates.
SELECT count(*) AS n FROM timescaledb_information.continuous_aggregates
 WHERE view_schema = current_schema() AND view_name IN ('rollup_minute', 'rollup_hour');

-- compressed
SELECT count(*) AS n FROM timescaledb_information.chunks
 WHERE hypertable_schema = current_schema() AND is_compressed;

-- rolled_up
SELECT EXISTS (SELECT FROM rollup_minute) OR EXISTS (SELECT FROM rollup_hour) AS yes;

-- compression_enabled
SELECT compression_enabled AS yes FROM timescaledb_information.hypertables
 WHERE hypertable_schema = current_schema() AND hypertable_name = %(table)s;

-- policy_age
-- After what age a policy compresses the chunks of a table.
SELECT (config ->> 'compress_after')::interval AS age FROM timescaledb_information.jobs
 WHERE hypertable_schema = current_schema() AND hypertable_name = %(table)s AND proc_name = 'policy_compression';

-- add_policy
SELECT add_compression_policy(%(table)s::regclass, compress_after => %(age)s::interval);

-- remove_policy
SELECT remove_compression_policy(%(table)s::regclass, if_exists => true);

-- due_chunks
-- Chunks whose newest row is older than any that is still accepted.
SELECT format('%%I.%%I', chunk_schema, chunk_name) AS name FROM timescaledb_information.chunks
 WHERE hypertable_schema = current_schema() AND hypertable_name = %(table)s
   AND NOT is_compressed AND range_end <= %(before)s::timestamptz
 ORDER BY range_start;

-- wait_briefly
SET LOCAL lock_timeout = '1s';

-- compress
SELECT compress_chunk(%(chunk)s::regclass);

-- try_lock
SELECT pg_try_advisory_lock(%(key)s) AS mine;

-- unlock
SELECT pg_advisory_unlock(%(key)s);

-- touched_hours
-- Newest first, each with the very rows that name it: one that comes later stays for the next turn. Rows of hours
-- whose samples have been dropped name rollups that must stay as they are.
SELECT hour, date_bin('1 minute', min(coalesce(earliest, hour)), hour) AS since, array_agg(ctid::text) AS rows,
       hour < coalesce((SELECT before FROM dropped WHERE table_name = 'sample'), '-infinity') AS dropped
  FROM touched
 WHERE coalesce(earliest, hour) < %(open)s::timestamptz
 GROUP BY hour ORDER BY hour DESC;

-- refresh_minutes
CALL refresh_continuous_aggregate('rollup_minute', %(since)s::timestamptz, %(until)s::timestamptz);

-- refresh_hour
CALL refresh_continuous_aggregate('rollup_hour', %(hour)s::timestamptz, %(end)s::timestamptz);

-- settle
DELETE FROM touched WHERE ctid = ANY (%(rows)s::text[]::tid[]) AND hour = %(hour)s;

-- wait
-- The minute that is still open is read from the samples.
INSERT INTO touched (signal, hour, earliest)
SELECT signal, %(hour)s, min(time) FROM sample WHERE time >= %(until)s AND time < %(end)s GROUP BY signal;
