-- The machines that need somebody first, in the order of the console: in alarm, within the horizon of the release's
-- alarm, silent, healthy, without a prediction; among equals by the lower end of what is left over that horizon.
WITH below AS (
    SELECT release, max((rule.value ->> 'threshold')::double precision) AS threshold
      FROM model CROSS JOIN LATERAL jsonb_array_elements(manifest -> 'alarms') AS rule
     WHERE rule.value ->> 'output' = 'remaining_life' AND rule.value ->> 'direction' = 'below'
     GROUP BY release
), outlook AS (
    SELECT DISTINCT ON (latest.machine) latest.machine, latest.use_case, latest.release, latest.time,
           latest.values[figure.life] AS life, latest.values[figure.lower] AS lower,
           latest.values[figure.upper] AS upper, latest.values[figure.anomaly] AS anomaly,
           coalesce(latest.values[figure.lower], latest.values[figure.life]) AS soonest
      FROM latest_prediction latest LEFT JOIN release_figure figure USING (release)
     ORDER BY latest.machine, coalesce(latest.values[figure.lower], latest.values[figure.life]) NULLS LAST,
              latest.values[figure.anomaly] DESC NULLS LAST
), longest AS (
    SELECT use_case, max(greatest(upper, life, 0)) AS life FROM outlook GROUP BY use_case
), standing AS (
    SELECT machine.name, site.name AS site, outlook.*, below.threshold,
           CASE WHEN EXISTS (SELECT FROM alarm WHERE alarm.machine = machine.id AND alarm.closed IS NULL) THEN 'alarm'
                WHEN outlook.machine IS NULL THEN 'no prediction'
                WHEN outlook.soonest < below.threshold THEN 'watch'
                WHEN NOT device.online OR outlook.time < $__timeTo()::timestamptz - interval '1 day' THEN 'silent'
                ELSE 'healthy' END AS state,
           CASE WHEN below.threshold > 0 THEN outlook.soonest / below.threshold
                ELSE 1 + outlook.soonest / nullif(longest.life, 0) END AS margin
      FROM machine
      JOIN device ON device.id = machine.device
      JOIN site ON site.id = device.site
      LEFT JOIN outlook ON outlook.machine = machine.id
      LEFT JOIN below ON below.release = outlook.release
      LEFT JOIN longest ON longest.use_case = outlook.use_case
     WHERE device.retired IS NULL AND site.name IN (${site:sqlstring})
)
SELECT standing.name AS machine, site, state, standing.life AS "remaining life", standing.lower AS "at least",
       standing.upper AS "at most", standing.anomaly, standing.release, standing.time AS predicted
  FROM standing
 ORDER BY array_position(ARRAY['alarm', 'watch', 'silent', 'healthy', 'no prediction'], state), margin NULLS LAST,
          standing.anomaly DESC NULLS LAST, standing.name
 LIMIT 50;
