-- copy_captures
COPY capture (machine, signal, time, rate_hz, why, device, epoch, sequence, received, values)
FROM STDIN (FORMAT BINARY);

-- lock_requests
-- In the order of their keys, so that two processes do not wait in a circle.
SELECT machine FROM capture_request WHERE machine = ANY (%(machines)s::integer[]) ORDER BY machine FOR NO KEY UPDATE;

-- answer
UPDATE capture_request SET answered = %(now)s
  FROM unnest(%(machines)s::integer[], %(ids)s::text[]) AS told (machine, id)
 WHERE capture_request.machine = told.machine AND capture_request.id = told.id AND answered IS NULL;

-- asked
SELECT device.name AS device, machine.name AS machine, capture_request.id
  FROM capture_request
  JOIN machine ON machine.id = capture_request.machine
  JOIN device ON device.id = machine.device
 WHERE answered IS NULL AND asked > %(since)s AND device.retired IS NULL
   AND (%(names)s::text[] IS NULL OR device.name = ANY (%(names)s::text[]))
 ORDER BY device.name, machine.name;
