-- mine
-- Until the end of the transaction: one process at a time makes rollups.
SELECT pg_try_advisory_xact_lock(%(key)s) AS mine;

-- by_index
-- What came since is a part of its hour, and many samples make few rows: the planner, who has not heard yet of
-- the partition that is being written, would read all of it and sort what it read.
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);

-- made_elsewhere
-- Where the database itself keeps rollups (continuous aggregates), nothing is to be done here.
SELECT EXISTS (SELECT FROM capability WHERE name = 'rollups' AND value = 'continuous') AS yes;

-- hours
-- Newest first: those are looked at.
SELECT DISTINCT hour FROM touched WHERE coalesce(earliest, hour) < %(open)s::timestamptz ORDER BY hour DESC;

-- claim
-- Takes out what was said of the next signals in one hour; a row that is not visible yet stays.
WITH next AS (
    SELECT DISTINCT signal FROM touched
     WHERE hour = %(hour)s AND coalesce(earliest, hour) < %(open)s::timestamptz
     ORDER BY signal LIMIT %(most)s
), gone AS (
    DELETE FROM touched WHERE hour = %(hour)s AND signal IN (SELECT signal FROM next)
    RETURNING signal, coalesce(earliest, hour) AS earliest
)
SELECT signal, date_bin('1 minute', min(earliest), %(hour)s) AS since FROM gone GROUP BY signal ORDER BY signal;

-- minutes
-- A sample is never changed nor taken out alone, so a count that is lower than the kept one means that the
-- rest was dropped: what is kept never shrinks. Minutes that are still open wait in `touched`.
WITH claimed AS (
    SELECT signal, since FROM unnest(%(signals)s::integer[], %(since)s::timestamptz[]) AS claimed (signal, since)
), minute AS MATERIALIZED (
    SELECT sample.signal, date_bin('1 minute', sample.time, %(hour)s) AS time, count(*) AS count,
           min(value) AS low, max(value) AS high, sum(value) AS sum
      FROM sample JOIN claimed ON claimed.signal = sample.signal AND sample.time >= claimed.since
     WHERE sample.time >= %(first)s AND sample.time < %(end)s
     GROUP BY 1, 2
), waiting AS (
    INSERT INTO touched (signal, hour, earliest)
    SELECT signal, %(hour)s, min(time) FROM minute WHERE time >= %(open)s GROUP BY signal
)
INSERT INTO rollup_minute AS kept (time, signal, count, low, high, sum)
SELECT time, signal, count, low, high, sum FROM minute WHERE time < %(open)s ORDER BY signal, time
ON CONFLICT (signal, time) DO UPDATE
   SET count = greatest(kept.count, excluded.count),
       low = least(kept.low, excluded.low), high = greatest(kept.high, excluded.high),
       sum = CASE WHEN excluded.count > kept.count THEN excluded.sum ELSE kept.sum END
 WHERE excluded.count > kept.count OR excluded.low < kept.low OR excluded.high > kept.high;

-- hour
-- Made of its minutes, which are there even where half of its samples are gone.
INSERT INTO rollup_hour AS kept (time, signal, count, low, high, sum)
SELECT %(hour)s, signal, sum(count), min(low), max(high), sum(sum) FROM rollup_minute
 WHERE signal = ANY (%(signals)s::integer[]) AND time >= %(hour)s AND time < %(end)s
 GROUP BY signal ORDER BY signal
ON CONFLICT (signal, time) DO UPDATE
   SET count = greatest(kept.count, excluded.count),
       low = least(kept.low, excluded.low), high = greatest(kept.high, excluded.high),
       sum = CASE WHEN excluded.count > kept.count THEN excluded.sum ELSE kept.sum END
 WHERE excluded.count > kept.count OR excluded.low < kept.low OR excluded.high > kept.high;

-- forget
-- Hours that are older than any rollup is kept.
DELETE FROM touched WHERE hour < %(oldest)s;
