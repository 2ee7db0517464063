-- How many devices stand how.
SELECT standing.state, count(*) AS devices
  FROM device
  JOIN site ON site.id = device.site
  JOIN device_standing standing ON standing.device = device.id
 WHERE device.retired IS NULL AND site.name IN (${site:sqlstring})
 GROUP BY standing.state
 ORDER BY standing.state;
