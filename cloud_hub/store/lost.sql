-- by_reason
-- Gaps noted since a moment, by site and reason; sequences are batches, time is the longest of one gap. Counted for each
-- device first, and without sorting any gap.
WITH told AS MATERIALIZED (
    SELECT device, reason, count(*) AS gaps, max(noted) AS last,
           sum((last_sequence - first_sequence + 1)::float8) AS batches,
           sum(extract(epoch FROM to_time - from_time)::float8) FILTER (WHERE to_time > from_time) AS seconds
      FROM gap WHERE noted >= %(since)s GROUP BY device, reason
), counted AS (
    SELECT device.site, told.reason, sum(told.gaps)::integer AS gaps, count(*)::integer AS devices,
           coalesce(sum(told.batches), 0)::bigint AS batches, coalesce(sum(told.seconds), 0)::float8 AS seconds,
           max(told.last) AS last,
           (max(ARRAY [extract(epoch FROM told.last)::float8, device.id::float8]))[2]::integer AS device
      FROM told JOIN device ON device.id = told.device
     WHERE %(sites)s::text[] IS NULL
        OR device.site = ANY (ARRAY (SELECT id FROM site WHERE name = ANY (%(sites)s)))
     GROUP BY device.site, told.reason
)
SELECT site.name AS site, counted.reason, counted.gaps, counted.devices, counted.batches, counted.seconds, counted.last,
       device.name AS device
  FROM counted JOIN site ON site.id = counted.site JOIN device ON device.id = counted.device
 ORDER BY counted.last DESC, site.name, counted.reason LIMIT %(most)s;
