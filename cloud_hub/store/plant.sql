-- trends
-- The last predictions of the machines on a page, oldest first: what their sparklines draw.
WITH figure AS MATERIALIZED (SELECT release, life FROM release_figure)
SELECT machine.name, array_agg(recent.life ORDER BY recent.time) AS lives
  FROM unnest(%(machines)s::text[], %(use_cases)s::text[]) AS asked (name, use_case)
  JOIN machine ON machine.name = asked.name
  JOIN latest_prediction latest ON latest.machine = machine.id AND latest.use_case = asked.use_case
 CROSS JOIN LATERAL (
       SELECT past.time, past.values[figure.life] AS life
         FROM (SELECT time, release, values FROM prediction
                WHERE prediction.machine = machine.id AND prediction.time <= latest.time
                  AND prediction.time > latest.time - interval '60 days'
                  AND split_part(prediction.release, '/', 1) = latest.use_case
                ORDER BY prediction.time DESC LIMIT 60) AS past
         JOIN figure USING (release)) AS recent
 GROUP BY machine.name;

-- sites
-- Every site with the devices in service there.
SELECT site.name, site.zone, count(device.id)::integer AS devices,
       (count(*) FILTER (WHERE device.online))::integer AS online,
       (count(*) FILTER (WHERE device.enrolled IS NULL AND device.id IS NOT NULL))::integer AS not_enrolled
  FROM site LEFT JOIN device ON device.site = site.id AND device.retired IS NULL
 WHERE %(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s)
 GROUP BY site.id ORDER BY site.name;
