-- How many machines stand how, as of the end of the dashboard's span.
WITH below AS (
    SELECT release, max((rule.value ->> 'threshold')::double precision) AS threshold
      FROM model CROSS JOIN LATERAL jsonb_array_elements(manifest -> 'alarms') AS rule
     WHERE rule.value ->> 'output' = 'remaining_life' AND rule.value ->> 'direction' = 'below'
     GROUP BY release
), outlook AS (
    SELECT DISTINCT ON (latest.machine) latest.machine, latest.release, latest.time,
           coalesce(latest.values[figure.lower], latest.values[figure.life]) AS soonest
      FROM latest_prediction latest LEFT JOIN release_figure figure USING (release)
     ORDER BY latest.machine, coalesce(latest.values[figure.lower], latest.values[figure.life]) NULLS LAST,
              latest.values[figure.anomaly] DESC NULLS LAST
), standing AS (
    SELECT CASE WHEN EXISTS (SELECT FROM alarm WHERE alarm.machine = machine.id AND alarm.closed IS NULL) THEN 'alarm'
                WHEN outlook.machine IS NULL THEN 'no prediction'
                WHEN outlook.soonest < below.threshold THEN 'watch'
                WHEN NOT device.online OR outlook.time < $__timeTo()::timestamptz - interval '1 day' THEN 'silent'
                ELSE 'healthy' END AS state
      FROM machine
      JOIN device ON device.id = machine.device
      JOIN site ON site.id = device.site
      LEFT JOIN outlook ON outlook.machine = machine.id
      LEFT JOIN below ON below.release = outlook.release
     WHERE device.retired IS NULL AND site.name IN (${site:sqlstring})
)
SELECT named.state, count(standing.state) AS machines
  FROM unnest(ARRAY['alarm', 'watch', 'silent', 'healthy', 'no prediction']) WITH ORDINALITY AS named (state, place)
  LEFT JOIN standing ON standing.state = named.state
 GROUP BY named.state, named.place
 ORDER BY named.place;
