-- alarms
-- Newest first, of one machine or of all that are at sites which may be seen; empty texts mean any.
SELECT alarm.id, machine.name AS machine, device.name AS device, site.name AS site, alarm.use_case, alarm.release,
       alarm.opened, alarm.closed, nullif(alarm.severity, 'NaN') AS severity, alarm.message
  FROM alarm
  JOIN machine ON machine.id = alarm.machine
  JOIN device ON device.id = machine.device
  JOIN site ON site.id = device.site
 WHERE (%(machine)s::text IS NULL OR machine.name = %(machine)s)
   AND (%(which)s <> 'open' OR alarm.closed IS NULL)
   AND (%(which)s <> 'closed' OR alarm.closed IS NOT NULL)
   AND (%(site)s = '' OR site.name = %(site)s)
   AND (%(use_case)s = '' OR alarm.use_case = %(use_case)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY alarm.opened DESC, alarm.id DESC
 LIMIT %(size)s OFFSET %(offset)s;

-- labels
SELECT label.time, label.kind, label.detail, label.source, label.added
  FROM label JOIN machine ON machine.id = label.machine
 WHERE machine.name = %(machine)s
 ORDER BY label.time DESC, label.id DESC
 LIMIT %(size)s OFFSET %(offset)s;
