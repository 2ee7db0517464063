-- reasons
-- By an index alone. `sites` null is every site, and then those whose sender nobody knows count, too.
SELECT reason, sum(times)::bigint AS messages, min(received) AS first, max(received) AS last
  FROM quarantine
 WHERE settled IS NULL AND (%(sites)s::text[] IS NULL OR device = ANY (ARRAY (
           SELECT device.id FROM device JOIN site ON site.id = device.site WHERE site.name = ANY (%(sites)s))))
 GROUP BY reason ORDER BY max(received) DESC, reason;

-- waiting
-- In one pass, by reason and the senders who have most; of a reason `devices` are its senders, of a sender `reasons`.
-- Whole numbers are added as double precision, which is exact here and many times as fast as numeric.
WITH told AS MATERIALIZED (
    SELECT reason, device, sum(times)::double precision AS messages, min(received) AS first, max(received) AS last
      FROM quarantine
     WHERE settled IS NULL AND (%(sites)s::text[] IS NULL OR device = ANY (ARRAY (
               SELECT device.id FROM device JOIN site ON site.id = device.site WHERE site.name = ANY (%(sites)s))))
     GROUP BY reason, device
), sender AS MATERIALIZED (
    SELECT coalesce(device, 0) AS device, sum(messages)::bigint AS messages, min(first) AS first, max(last) AS last
      FROM told GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(most)s
), theirs AS (
    SELECT sender.device, array_agg(told.reason ORDER BY told.messages DESC, told.reason) AS reasons
      FROM sender JOIN told ON coalesce(told.device, 0) = sender.device GROUP BY sender.device
)
SELECT reason, sum(messages)::bigint AS messages, count(*)::integer AS devices, min(first) AS first, max(last) AS last,
       NULL AS device, NULL AS site, NULL::text[] AS reasons
  FROM told GROUP BY reason
UNION ALL
SELECT NULL, sender.messages, 1, sender.first, sender.last, device.name, site.name, theirs.reasons
  FROM sender JOIN theirs ON theirs.device = sender.device
  LEFT JOIN device ON device.id = sender.device LEFT JOIN site ON site.id = device.site;

-- count
SELECT count(*) AS messages
  FROM quarantine
 WHERE (%(sites)s::text[] IS NULL OR quarantine.device = ANY (ARRAY (
           SELECT device.id FROM device JOIN site ON site.id = device.site WHERE site.name = ANY (%(sites)s))))
   AND (%(reason)s = '' OR quarantine.reason = %(reason)s)
   AND (%(device)s = '' OR quarantine.device = (SELECT id FROM device WHERE name = %(device)s)
        OR (quarantine.device IS NULL AND split_part(quarantine.topic, '/', 3) = %(device)s))
   AND (%(since)s::timestamptz IS NULL OR quarantine.received >= %(since)s)
   AND CASE %(state)s WHEN 'stored' THEN quarantine.settled IS NOT NULL
                      WHEN 'asked' THEN quarantine.settled IS NULL AND quarantine.replay IS NOT NULL
                      ELSE quarantine.settled IS NULL END;

-- page
-- Which they are is found in an index; what they say, and whose they are, is read for one page alone.
WITH page AS MATERIALIZED (
    SELECT id FROM quarantine
     WHERE (%(sites)s::text[] IS NULL OR quarantine.device = ANY (ARRAY (
               SELECT device.id FROM device JOIN site ON site.id = device.site WHERE site.name = ANY (%(sites)s))))
       AND (%(reason)s = '' OR quarantine.reason = %(reason)s)
       AND (%(device)s = '' OR quarantine.device = (SELECT id FROM device WHERE name = %(device)s)
            OR (quarantine.device IS NULL AND split_part(quarantine.topic, '/', 3) = %(device)s))
       AND (%(since)s::timestamptz IS NULL OR quarantine.received >= %(since)s)
       AND CASE %(state)s WHEN 'stored' THEN quarantine.settled IS NOT NULL
                          WHEN 'asked' THEN quarantine.settled IS NULL AND quarantine.replay IS NOT NULL
                          ELSE quarantine.settled IS NULL END
     ORDER BY id DESC LIMIT %(size)s OFFSET %(offset)s
)
SELECT page.id, device.name AS device, site.name AS site, told.topic, told.reason, told.detail, told.bytes, told.times,
       told.received, told.replay, told.settled
  FROM page JOIN quarantine told USING (id)
  LEFT JOIN device ON device.id = told.device LEFT JOIN site ON site.id = device.site
 ORDER BY page.id DESC;

-- sites_of
SELECT array_remove(ARRAY [site.name], NULL) AS sites
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device LEFT JOIN site ON site.id = device.site
 WHERE quarantine.id = %(id)s;
