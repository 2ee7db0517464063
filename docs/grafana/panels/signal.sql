-- One signal of the machine: lowest, mean and highest of each stretch. From samples up to six hours, from minutes up
-- to two weeks, from hours beyond; of these three only the one that fits is read. Where nothing came for long, the
-- line stops. A signal whose unit changed is another one: the newest of its name is drawn.
WITH chosen AS (
    SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine
     WHERE machine.name = ${machine:sqlstring} AND signal.name = ${signal:sqlstring} AND signal.kind = 'scalar'
     ORDER BY signal.id DESC LIMIT 1
), told AS (
    SELECT date_bin(make_interval(secs => $__interval_ms / 1000.0), sample.time, 'epoch') AS time,
           min(sample.value) AS low, avg(sample.value) AS mean, max(sample.value) AS high
      FROM sample
     WHERE sample.signal = (SELECT id FROM chosen) AND $__timeFilter(sample.time)
       AND $__unixEpochTo() - $__unixEpochFrom() <= 21600
     GROUP BY 1
    UNION ALL
    SELECT date_bin(make_interval(secs => greatest($__interval_ms, 60000) / 1000.0), rollup_minute.time, 'epoch'),
           min(low), sum(sum) / sum(count), max(high)
      FROM rollup_minute
     WHERE rollup_minute.signal = (SELECT id FROM chosen) AND $__timeFilter(rollup_minute.time)
       AND $__unixEpochTo() - $__unixEpochFrom() > 21600
       AND $__unixEpochTo() - $__unixEpochFrom() <= 1209600
     GROUP BY 1
    UNION ALL
    SELECT date_bin(make_interval(secs => greatest($__interval_ms, 3600000) / 1000.0), rollup_hour.time, 'epoch'),
           min(low), sum(sum) / sum(count), max(high)
      FROM rollup_hour
     WHERE rollup_hour.signal = (SELECT id FROM chosen) AND $__timeFilter(rollup_hour.time)
       AND $__unixEpochTo() - $__unixEpochFrom() > 1209600
     GROUP BY 1
), spaced AS (
    SELECT told.*, lead(time) OVER (ORDER BY time) - time AS step FROM told
), usual AS (
    SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY step) AS step FROM spaced
)
SELECT time, low AS "lowest", mean, high AS "highest" FROM spaced
UNION ALL
SELECT spaced.time + usual.step, NULL, NULL, NULL FROM spaced JOIN usual ON spaced.step > 3 * usual.step
 ORDER BY time;
