-- What each prediction of the machine said was left, with its interval; where none came for long, the line stops.
WITH told AS (
    SELECT date_bin(make_interval(secs => $__interval_ms / 1000.0), prediction.time, 'epoch') AS time,
           split_part(prediction.release, '/', 1) AS use_case,
           avg(prediction.values[figure.life]) AS life, min(prediction.values[figure.lower]) AS lower,
           max(prediction.values[figure.upper]) AS upper
      FROM prediction JOIN release_figure figure USING (release)
     WHERE prediction.machine = (SELECT id FROM machine WHERE name = ${machine:sqlstring})
       AND $__timeFilter(prediction.time) AND figure.life IS NOT NULL
     GROUP BY 1, 2
), one AS (
    SELECT use_case FROM told GROUP BY use_case ORDER BY min(coalesce(lower, life)) LIMIT 1
), spaced AS (
    SELECT told.*, lead(told.time) OVER (ORDER BY told.time) - told.time AS step FROM told JOIN one USING (use_case)
), usual AS (
    SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY step) AS step FROM spaced
)
SELECT time, life AS "remaining life", lower AS "at least", upper AS "at most" FROM spaced
UNION ALL
SELECT spaced.time + usual.step, NULL, NULL, NULL FROM spaced JOIN usual ON spaced.step > 3 * usual.step
 ORDER BY time;
