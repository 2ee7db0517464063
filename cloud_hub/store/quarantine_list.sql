-- reasons
SELECT reason, sum(messages)::bigint AS messages, count(*)::integer AS devices, min(first) AS first, max(last) AS last
  FROM (SELECT reason, device, sum(times) AS messages, min(received) AS first, max(received) AS last
          FROM quarantine WHERE settled IS NULL GROUP BY reason, device) AS told
  LEFT JOIN device ON device.id = told.device LEFT JOIN site ON site.id = device.site
 WHERE %(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s)
 GROUP BY reason ORDER BY max(last) DESC, reason;

-- senders
SELECT device.name AS device, site.name AS site, sum(messages)::bigint AS messages,
       array_agg(reason ORDER BY messages DESC, reason) AS reasons, max(last) AS last
  FROM (SELECT reason, device, sum(times) AS messages, max(received) AS last
          FROM quarantine WHERE settled IS NULL GROUP BY reason, device) AS told
  LEFT JOIN device ON device.id = told.device LEFT JOIN site ON site.id = device.site
 WHERE %(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s)
 GROUP BY device.name, site.name ORDER BY sum(messages) DESC, device.name LIMIT %(most)s;

-- count
SELECT count(*) AS messages
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device LEFT JOIN site ON site.id = device.site
 WHERE (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
   AND (%(reason)s = '' OR quarantine.reason = %(reason)s)
   AND (%(device)s = '' OR quarantine.device = (SELECT id FROM device WHERE name = %(device)s)
        OR (quarantine.device IS NULL AND split_part(quarantine.topic, '/', 3) = %(device)s))
   AND (%(since)s::timestamptz IS NULL OR quarantine.received >= %(since)s)
   AND CASE %(state)s WHEN 'stored' THEN quarantine.settled IS NOT NULL
                      WHEN 'asked' THEN quarantine.settled IS NULL AND quarantine.replay IS NOT NULL
                      ELSE quarantine.settled IS NULL END;

-- page
SELECT quarantine.id, device.name AS device, site.name AS site, quarantine.topic, quarantine.reason, quarantine.detail,
       quarantine.bytes, quarantine.times, quarantine.received, quarantine.replay, quarantine.settled
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device LEFT JOIN site ON site.id = device.site
 WHERE (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
   AND (%(reason)s = '' OR quarantine.reason = %(reason)s)
   AND (%(device)s = '' OR quarantine.device = (SELECT id FROM device WHERE name = %(device)s)
        OR (quarantine.device IS NULL AND split_part(quarantine.topic, '/', 3) = %(device)s))
   AND (%(since)s::timestamptz IS NULL OR quarantine.received >= %(since)s)
   AND CASE %(state)s WHEN 'stored' THEN quarantine.settled IS NOT NULL
                      WHEN 'asked' THEN quarantine.settled IS NULL AND quarantine.replay IS NOT NULL
                      ELSE quarantine.settled IS NULL END
 ORDER BY quarantine.id DESC LIMIT %(size)s OFFSET %(offset)s;

-- sites_of
SELECT array_remove(ARRAY [site.name], NULL) AS sites
  FROM quarantine LEFT JOIN device ON device.id = quarantine.device LEFT JOIN site ON site.id = device.site
 WHERE quarantine.id = %(id)s;
