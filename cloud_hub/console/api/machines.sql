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

-- gaps
-- Of a machine or its whole device, or of a device, newest first.
SELECT gap.reason, gap.from_time, gap.to_time, gap.epoch, gap.first_sequence, gap.last_sequence, gap.noted,
       device.name AS device, machine.name AS machine
  FROM gap
  JOIN device ON device.id = gap.device
  LEFT JOIN machine ON machine.id = gap.machine
 WHERE (%(device)s::text IS NULL OR device.name = %(device)s)
   AND (%(machine)s::text IS NULL OR machine.name = %(machine)s
        OR (gap.machine IS NULL AND gap.device = (SELECT m.device FROM machine AS m WHERE m.name = %(machine)s)))
 ORDER BY gap.noted DESC, gap.id DESC
 LIMIT %(size)s OFFSET %(offset)s;
