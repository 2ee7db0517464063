-- one_moment
-- What a chart is put together from belongs to one moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- by_index
-- Of a partition that is being written the planner knows nothing yet and would read all of it, with every core,
-- and sort what it read. BRIN leads past most of it, and where no index leads to anything it costs next to nothing.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
       set_config('max_parallel_workers_per_gather', '0', true);

-- signal
SELECT signal.id, latest.time AS newest
  FROM signal
  JOIN machine ON machine.id = signal.machine
  LEFT JOIN latest ON latest.signal = signal.id
 WHERE machine.name = %(machine)s AND signal.name = %(signal)s
 ORDER BY signal.id DESC LIMIT 1;

-- kept
-- Since when a table has partitions, and how many bytes of the span lie in some that have no index yet.
WITH part AS MATERIALIZED (
    SELECT child.oid, child.relname AS name, substring(bound FROM 'FROM \(''([^'']+)''\)')::timestamptz AS lower,
           substring(bound FROM 'TO \(''([^'']+)''\)')::timestamptz AS upper
      FROM pg_inherits
      JOIN pg_class AS child ON child.oid = inhrelid
     CROSS JOIN LATERAL pg_get_expr(child.relpartbound, child.oid) AS bound
     WHERE inhparent = %(table)s::regclass
), bare AS (
    SELECT oid, lower, least(upper, greatest(%(newest)s::timestamptz, lower + interval '1 second')) AS upper
      FROM part
     WHERE lower < %(end)s AND upper > %(start)s
       AND NOT EXISTS (SELECT FROM pg_class AS index JOIN pg_index ON index.oid = pg_index.indexrelid
                        WHERE pg_index.indrelid = part.oid AND index.relname = part.name || '_signal'
                                                        AND indisvalid)
)
SELECT count(*) AS parts, min(lower) AS since,
       (SELECT sum(pg_relation_size(oid) * greatest(0, extract(epoch FROM least(upper, %(end)s)
                                                                       - greatest(lower, %(start)s)))
                   / extract(epoch FROM upper - lower)) FROM bare)::float8 AS bare_bytes
  FROM part;

-- kept_chunks
SELECT min(range_start) AS since FROM timescaledb_information.chunks
 WHERE format('%%I.%%I', hypertable_schema, hypertable_name)::regclass = %(table)s::regclass;

-- stale
SELECT hour, min(coalesce(earliest, hour)) AS since FROM touched
 WHERE signal = %(signal)s AND hour > %(start)s::timestamptz - interval '1 hour' AND hour < %(end)s
 GROUP BY hour;

-- density
-- Samples an hour, where the hours that are rolled up have most of them.
SELECT max(count) AS most FROM rollup_hour
 WHERE signal = %(signal)s AND time > %(start)s::timestamptz - interval '1 hour' AND time < %(end)s;

-- samples
-- The samples themselves where they are few, else buckets; they are read once.
WITH picked AS MATERIALIZED (
    SELECT time, value FROM sample WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
)
SELECT time, value AS low, value AS high FROM picked
 WHERE (SELECT count(*) FROM picked) <= %(most)s
UNION ALL
SELECT date_bin(%(width)s, time, %(origin)s) AS time, min(value) AS low, max(value) AS high FROM picked
 WHERE (SELECT count(*) FROM picked) > %(most)s
 GROUP BY 1
 ORDER BY time;

-- sample_buckets
SELECT date_bin(%(width)s, time, %(origin)s) AS time, min(value) AS low, max(value) AS high FROM sample
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1;

-- minute_buckets
SELECT date_bin(%(width)s, greatest(time, %(from)s), %(origin)s) AS time, min(low) AS low, max(high) AS high
  FROM rollup_minute
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1;

-- hour_buckets
SELECT date_bin(%(width)s, greatest(time, %(from)s), %(origin)s) AS time, min(low) AS low, max(high) AS high
  FROM rollup_hour
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1;

-- gaps
-- Holes in what a machine sent: its own, and those of its whole device.
SELECT gap.from_time AS start, gap.to_time AS end, gap.reason
  FROM gap
  JOIN machine ON machine.device = gap.device AND (gap.machine IS NULL OR gap.machine = machine.id)
 WHERE machine.name = %(machine)s AND gap.from_time < %(end)s AND gap.to_time > %(start)s
 ORDER BY gap.from_time, gap.id LIMIT %(most)s;

-- predictions
SELECT time, release, values[figure.life] AS remaining_life, values[figure.lower] AS lower,
       values[figure.upper] AS upper, values[figure.anomaly] AS anomaly
  FROM prediction LEFT JOIN release_figure figure USING (release)
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND release LIKE %(releases)s AND time >= %(start)s AND time < %(end)s
 ORDER BY time LIMIT %(most)s;

-- prediction_buckets
SELECT date_bin(%(width)s, time, %(start)s) AS time, max(release) AS release,
       avg(values[figure.life]) AS remaining_life, min(values[figure.lower]) AS lower,
       max(values[figure.upper]) AS upper, max(values[figure.anomaly]) AS anomaly
  FROM prediction LEFT JOIN release_figure figure USING (release)
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND release LIKE %(releases)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1 ORDER BY 1;

-- features
SELECT time, values[%(column)s] AS low, values[%(column)s] AS high FROM feature
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND feature_set = %(feature_set)s AND time >= %(start)s AND time < %(end)s
 ORDER BY time LIMIT %(most)s;

-- feature_buckets
SELECT date_bin(%(width)s, time, %(start)s) AS time, min(values[%(column)s]) AS low, max(values[%(column)s]) AS high
  FROM feature
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND feature_set = %(feature_set)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1 ORDER BY 1;
