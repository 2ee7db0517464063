-- Devices in service whose newest batch is oldest, and how old what they send is: a device that catches up sends now
-- what it wrote while it could not send.
SELECT device.name AS device, site.name AS site, standing.state,
       greatest(extract(epoch FROM $__timeTo()::timestamptz - device.last_batch), 0)::double precision AS "since a batch",
       greatest(extract(epoch FROM device.last_batch - device.last_live), 0)::double precision AS "behind",
       device.skew_s AS "clock off"
  FROM device
  JOIN site ON site.id = device.site
  JOIN device_standing standing ON standing.device = device.id
 WHERE device.retired IS NULL AND device.enrolled IS NOT NULL AND site.name IN (${site:sqlstring})
 ORDER BY device.last_batch NULLS FIRST, device.name
 LIMIT 20;
