-- machine
SELECT machine.id, device.name AS device, device.online, device.retired IS NOT NULL AS retired,
       EXISTS (SELECT FROM signal WHERE signal.machine = machine.id AND signal.kind = 'waveform') AS waveforms
  FROM machine JOIN device ON device.id = machine.device
 WHERE machine.name = %(machine)s;

-- ask
-- Nothing comes back where an earlier request still waits: who comes second finds it, however close together.
INSERT INTO capture_request (machine, id, asked, asked_by)
VALUES (%(machine)s, %(id)s, %(now)s, %(actor)s)
ON CONFLICT (machine) DO UPDATE
   SET id = excluded.id, asked = excluded.asked, asked_by = excluded.asked_by, answered = NULL
 WHERE capture_request.answered IS NOT NULL OR capture_request.asked <= %(since)s
RETURNING id, asked;

-- asked
SELECT id, asked FROM capture_request WHERE machine = %(machine)s;

-- say
SELECT pg_notify('andon_command', %(command)s);
