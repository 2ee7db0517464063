-- Alarms that are open, and those that were opened in the span.
SELECT machine.name AS machine, site.name AS site, alarm.message, alarm.opened, alarm.closed, alarm.release
  FROM alarm
  JOIN machine ON machine.id = alarm.machine
  JOIN device ON device.id = machine.device
  JOIN site ON site.id = device.site
 WHERE (alarm.closed IS NULL OR $__timeFilter(alarm.opened)) AND site.name IN (${site:sqlstring})
 ORDER BY alarm.closed IS NULL DESC, alarm.opened DESC
 LIMIT 200;
