-- The one that needs somebody first stands first: in alarm, then by the lower end of what is left.
SELECT machine.name
  FROM machine
  JOIN device ON device.id = machine.device
  JOIN site ON site.id = device.site
  LEFT JOIN latest_prediction latest ON latest.machine = machine.id
  LEFT JOIN release_figure figure USING (release)
 WHERE device.retired IS NULL AND site.name IN (${site:sqlstring})
 GROUP BY machine.id
 ORDER BY EXISTS (SELECT FROM alarm WHERE alarm.machine = machine.id AND alarm.closed IS NULL) DESC,
          min(coalesce(latest.values[figure.lower], latest.values[figure.life])) NULLS LAST, machine.name
 LIMIT 5000;
