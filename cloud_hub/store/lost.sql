-- by_reason
-- Gaps noted since a moment, by site and reason; sequences are batches, time is the longest of one gap.
SELECT site.name AS site, gap.reason, count(*)::integer AS gaps, count(DISTINCT gap.device)::integer AS devices,
       coalesce(sum(gap.last_sequence - gap.first_sequence + 1), 0)::bigint AS batches,
       coalesce(sum(extract(epoch FROM gap.to_time - gap.from_time)) FILTER (WHERE gap.to_time > gap.from_time), 0)::float8
           AS seconds,
       max(gap.noted) AS last, (array_agg(device.name ORDER BY gap.noted DESC))[1] AS device
  FROM gap JOIN device ON device.id = gap.device JOIN site ON site.id = device.site
 WHERE gap.noted >= %(since)s AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 GROUP BY site.name, gap.reason ORDER BY max(gap.noted) DESC, site.name, gap.reason LIMIT %(most)s;
