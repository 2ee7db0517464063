-- Devices that are away, the longest first, and how many machines nobody watches for it.
SELECT device.name AS device, site.name AS site, device.profile, device.status_since AS since,
       device.last_batch AS "last batch",
       (SELECT count(*) FROM machine WHERE machine.device = device.id) AS machines
  FROM device
  JOIN site ON site.id = device.site
  JOIN device_standing standing ON standing.device = device.id
 WHERE standing.state = 'offline' AND site.name IN (${site:sqlstring})
 ORDER BY device.status_since NULLS FIRST, device.name
 LIMIT 100;
