-- pending
-- The newest directive of each device and use case that the device has not accepted yet.
SELECT device.name, newest.use_case, newest.signed
  FROM (SELECT DISTINCT ON (directive.device, directive.use_case)
               directive.device, directive.use_case, directive.sequence, directive.signed
          FROM directive
         ORDER BY directive.device, directive.use_case, directive.sequence DESC) AS newest
  JOIN device ON device.id = newest.device
  LEFT JOIN device_release AS running ON running.device = newest.device AND running.use_case = newest.use_case
 WHERE newest.sequence > coalesce(running.accepted_sequence, 0)
   AND device.retired IS NULL
   AND (%(device)s::text IS NULL OR device.name = %(device)s)
 ORDER BY device.name, newest.use_case;
