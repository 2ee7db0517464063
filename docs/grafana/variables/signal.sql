SELECT DISTINCT signal.name
  FROM signal JOIN machine ON machine.id = signal.machine
 WHERE machine.name = ${machine:sqlstring} AND signal.kind = 'scalar'
 ORDER BY signal.name;
