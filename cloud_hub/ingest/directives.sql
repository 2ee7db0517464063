-- pending_of
-- The newest directive of each use case that these devices have not accepted yet: a few rows by key, for each.
SELECT device.name, newest.use_case, newest.signed
  FROM device
 CROSS JOIN LATERAL (SELECT DISTINCT ON (directive.use_case)
                            directive.use_case, directive.sequence, directive.signed
                       FROM directive
                      WHERE directive.device = device.id
                      ORDER BY directive.use_case, directive.sequence DESC) AS newest
  LEFT JOIN device_release AS running ON running.device = device.id AND running.use_case = newest.use_case
 WHERE device.name = ANY (%(names)s::text[])
   AND device.retired IS NULL
   AND newest.sequence > coalesce(running.accepted_sequence, 0)
 ORDER BY device.name, newest.use_case;

-- pending
-- The same of all devices. Who accepted the newest directive is found without reading what it says.
SELECT device.name, newest.use_case, directive.signed
  FROM (SELECT device, use_case, max(sequence) AS sequence FROM directive GROUP BY device, use_case) AS newest
  LEFT JOIN device_release AS running ON running.device = newest.device AND running.use_case = newest.use_case
  JOIN device ON device.id = newest.device
  JOIN directive ON directive.device = newest.device AND directive.use_case = newest.use_case
                AND directive.sequence = newest.sequence
 WHERE newest.sequence > coalesce(running.accepted_sequence, 0)
   AND device.retired IS NULL
 ORDER BY device.name, newest.use_case;
