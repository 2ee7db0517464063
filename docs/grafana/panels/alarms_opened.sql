-- How many alarms were opened.
SELECT $__timeGroupAlias(alarm.opened, $__interval, 0), count(*) AS alarms
  FROM alarm
  JOIN machine ON machine.id = alarm.machine
  JOIN device ON device.id = machine.device
  JOIN site ON site.id = device.site
 WHERE $__timeFilter(alarm.opened) AND site.name IN (${site:sqlstring})
 GROUP BY 1
 ORDER BY 1;
