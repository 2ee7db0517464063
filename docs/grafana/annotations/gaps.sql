-- What is known to be missing of the machine, and why: a line that stops here is no fault of the chart.
SELECT greatest(gap.from_time, $__timeFrom()::timestamptz) AS time,
       least(gap.to_time, $__timeTo()::timestamptz) AS timeend, gap.reason AS text, 'gap' AS tags
  FROM machine JOIN gap ON gap.device = machine.device AND (gap.machine IS NULL OR gap.machine = machine.id)
 WHERE machine.name = ${machine:sqlstring}
   AND gap.from_time <= $__timeTo()::timestamptz AND gap.to_time >= $__timeFrom()::timestamptz
 ORDER BY gap.from_time DESC
 LIMIT 500;
