-- incidents
-- What concerns no device is at no site.
SELECT incident.kind, device.name AS device, incident.detail, incident.opened, incident.closed
  FROM incident
  LEFT JOIN device ON device.id = incident.device
  LEFT JOIN site ON site.id = device.site
 WHERE (%(which)s <> 'open' OR incident.closed IS NULL)
   AND (%(which)s <> 'closed' OR incident.closed IS NOT NULL)
   AND (%(kind)s = '' OR incident.kind = %(kind)s)
   AND (%(site)s = '' OR site.name = %(site)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY incident.opened DESC, incident.id DESC
 LIMIT %(size)s OFFSET %(offset)s;
