-- place
-- Where a machine stands, and since when the hub knows it.
SELECT site.name AS site, site.zone, machine.added
  FROM machine JOIN device ON device.id = machine.device JOIN site ON site.id = device.site
 WHERE machine.name = %(machine)s;

-- alarms
-- Those that were open at some moment of the span.
SELECT alarm.id, machine.name AS machine, device.name AS device, alarm.use_case, alarm.release, alarm.opened,
       alarm.closed, alarm.severity, alarm.message
  FROM alarm JOIN machine ON machine.id = alarm.machine JOIN device ON device.id = machine.device
 WHERE machine.name = %(machine)s AND alarm.opened < %(end)s AND coalesce(alarm.closed, 'infinity') >= %(start)s
 ORDER BY alarm.opened DESC LIMIT %(most)s;

-- rules
-- When predictions of each release that raised an alarm here become one.
SELECT model.release, model.manifest -> 'alarms' AS alarms FROM model
 WHERE model.release IN (SELECT alarm.release FROM alarm JOIN machine ON machine.id = alarm.machine
                          WHERE machine.name = %(machine)s);
