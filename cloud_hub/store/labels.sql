-- machines
SELECT id, name, machine_class FROM machine WHERE name = ANY (%(names)s);

-- known
SELECT machine.name, label.kind, label.time, label.detail
  FROM label JOIN machine ON machine.id = label.machine
 WHERE machine.name = ANY (%(names)s);

-- alarm
-- Of whatever use case: the longest, where several opened at once.
SELECT closed FROM alarm WHERE machine = %(machine)s AND opened = %(opened)s
 ORDER BY closed DESC NULLS FIRST LIMIT 1;

-- insert
INSERT INTO label (machine, time, kind, detail, source, added)
VALUES (%(machine)s, %(time)s, %(kind)s, %(detail)s, %(source)s, %(added)s)
ON CONFLICT (machine, time, kind) DO NOTHING;
