-- machine
SELECT id, machine_class, added FROM machine WHERE name = %(machine)s;

-- alarm
-- Held until the verdict is in, so that two people who judge at once are heard one after the other.
SELECT alarm.opened, alarm.use_case FROM alarm JOIN machine ON machine.id = alarm.machine
 WHERE alarm.id = %(alarm)s AND machine.name = %(machine)s
   FOR NO KEY UPDATE OF alarm;

-- labels
SELECT label.time, label.kind, label.detail, label.source
  FROM label JOIN machine ON machine.id = label.machine
 WHERE machine.name = %(machine)s AND label.kind = %(kind)s;
