-- taken
-- A window's length is known without reading its values.
SELECT capture.time, array_agg(DISTINCT capture.why) AS reasons,
       array_agg(DISTINCT signal.name ORDER BY signal.name) AS signals,
       max(octet_length(capture.values) / 4 / capture.rate_hz) AS seconds, min(capture.received) AS received
  FROM capture
  JOIN machine ON machine.id = capture.machine
  JOIN signal ON signal.id = capture.signal
 WHERE machine.name = %(machine)s
   AND (%(signal)s::text IS NULL OR signal.name = %(signal)s)
   AND (%(time)s::timestamptz IS NULL OR capture.time = %(time)s)
 GROUP BY capture.time
 ORDER BY capture.time DESC
 LIMIT %(most)s OFFSET %(offset)s;

-- count
SELECT count(DISTINCT capture.time) AS captures
  FROM capture
  JOIN machine ON machine.id = capture.machine
  JOIN signal ON signal.id = capture.signal
 WHERE machine.name = %(machine)s AND (%(signal)s::text IS NULL OR signal.name = %(signal)s);

-- window
SELECT signal.unit, capture.rate_hz, capture.values
  FROM capture
  JOIN machine ON machine.id = capture.machine
  JOIN signal ON signal.id = capture.signal
 WHERE machine.name = %(machine)s AND signal.name = %(signal)s AND capture.time = %(time)s
 ORDER BY capture.id LIMIT 1;

-- request
SELECT capture_request.id, asked, asked_by, answered
  FROM capture_request JOIN machine ON machine.id = capture_request.machine
 WHERE machine.name = %(machine)s;

-- expire
DELETE FROM capture
 WHERE id IN (SELECT id FROM capture WHERE time < %(before)s ORDER BY time LIMIT %(most)s);

-- trim
-- Of each machine and reason the last that stays is found by its index; mostly there is none, and nothing to do.
WITH last AS MATERIALIZED (
    SELECT machine.id AS machine, told.why, past.time
      FROM machine
     CROSS JOIN unnest(%(whys)s::text[]) AS told (why)
     CROSS JOIN LATERAL (SELECT DISTINCT capture.time FROM capture
                          WHERE capture.machine = machine.id AND capture.why = told.why
                          ORDER BY capture.time DESC OFFSET %(kept)s LIMIT 1) AS past
)
DELETE FROM capture
 WHERE id IN (SELECT capture.id FROM last JOIN capture ON capture.machine = last.machine AND capture.why = last.why
                                                      AND capture.time <= last.time
               LIMIT %(most)s);
