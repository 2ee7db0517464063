-- From when to when an alarm of the machine was open.
SELECT alarm.opened AS time, coalesce(alarm.closed, $__timeTo()::timestamptz) AS timeend, alarm.message AS text,
       'alarm,' || alarm.use_case AS tags
  FROM alarm JOIN machine ON machine.id = alarm.machine
 WHERE machine.name = ${machine:sqlstring}
   AND alarm.opened <= $__timeTo()::timestamptz
   AND coalesce(alarm.closed, $__timeTo()::timestamptz) >= $__timeFrom()::timestamptz
 ORDER BY alarm.opened DESC
 LIMIT 500;
