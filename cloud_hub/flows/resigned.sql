-- waiting
-- The newest directive of each device and use case that the device has not accepted yet.
SELECT directive.device, directive.use_case, directive.sequence, directive.signed, device.name
  FROM (SELECT DISTINCT ON (device, use_case) device, use_case, sequence, signed
          FROM directive
         ORDER BY device, use_case, sequence DESC) AS directive
  JOIN device ON device.id = directive.device
  LEFT JOIN device_release AS running
         ON running.device = directive.device AND running.use_case = directive.use_case
 WHERE directive.sequence > coalesce(running.accepted_sequence, 0)
   AND device.retired IS NULL;

-- resign
UPDATE directive SET signed = again.signed
  FROM unnest(%(devices)s::integer[], %(use_cases)s::text[], %(sequences)s::bigint[], %(signed)s::bytea[])
       AS again (device, use_case, sequence, signed)
 WHERE directive.device = again.device AND directive.use_case = again.use_case
   AND directive.sequence = again.sequence;
