-- Batches that came and are not settled yet, by device: a mark that stands still while they grow is a hole that
-- nobody has explained.
SELECT device.name AS device, site.name AS site, sum(greatest(mark.highest - mark.mark, 0))::bigint AS "not settled"
  FROM mark
  JOIN device ON device.id = mark.device
  JOIN site ON site.id = device.site
 WHERE mark.superseded IS NULL AND device.retired IS NULL AND site.name IN (${site:sqlstring})
 GROUP BY device.id, device.name, site.name
HAVING sum(greatest(mark.highest - mark.mark, 0)) > 0
 ORDER BY 3 DESC, device.name
 LIMIT 20;
