-- machines
SELECT id, name FROM machine WHERE name = ANY (%(names)s);

-- insert
INSERT INTO label (machine, time, kind, detail, source, added)
VALUES (%(machine)s, %(time)s, %(kind)s, %(detail)s, %(source)s, %(added)s)
ON CONFLICT (machine, time, kind) DO NOTHING;
