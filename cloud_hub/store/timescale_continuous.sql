-- The tables of 0002_rollups.sql as continuous aggregates: same names, same columns. Hours are made of minutes. They
-- are shown as far as they are made: what is not yet, `touched` names, and charts read it from the samples.
DROP TABLE rollup_minute;
DROP TABLE rollup_hour;

CREATE MATERIALIZED VIEW rollup_minute
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
SELECT time_bucket('1 minute', time) AS time, signal, count(*) AS count, min(value) AS low, max(value) AS high,
       sum(value) AS sum
  FROM sample GROUP BY 1, 2
  WITH NO DATA;
CREATE INDEX rollup_minute_of_signal ON rollup_minute (signal, time);

CREATE MATERIALIZED VIEW rollup_hour
  WITH (timescaledb.continuous, timescaledb.materialized_only = true, timescaledb.create_group_indexes = false) AS
SELECT time_bucket('1 hour', time) AS time, signal, sum(count)::bigint AS count, min(low) AS low, max(high) AS high,
       sum(sum) AS sum
  FROM rollup_minute GROUP BY 1, 2
  WITH NO DATA;
CREATE INDEX rollup_hour_of_signal ON rollup_hour (signal, time);
