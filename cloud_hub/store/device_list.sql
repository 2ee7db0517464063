-- counts
-- How many devices stand how, of those that match everything but a state.
SELECT standing.state, count(*)::integer AS devices
  FROM device JOIN site ON site.id = device.site JOIN device_standing standing ON standing.device = device.id
 WHERE (%(site)s = '' OR site.name = %(site)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
   AND (%(profile)s = '' OR device.profile = %(profile)s)
   AND (%(version)s = '' OR device.agent_version = %(version)s)
   AND (%(text)s = '' OR position(lower(%(text)s) IN lower(device.name)) > 0)
 GROUP BY standing.state;

-- page
-- Those that need someone first; what is looked up for each is looked up for the page alone.
WITH page AS MATERIALIZED (
    SELECT device.id, device.name, site.name AS site, site.zone, standing.state
      FROM device JOIN site ON site.id = device.site JOIN device_standing standing ON standing.device = device.id
     WHERE (%(site)s = '' OR site.name = %(site)s)
       AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
       AND (%(profile)s = '' OR device.profile = %(profile)s)
       AND (%(version)s = '' OR device.agent_version = %(version)s)
       AND (%(text)s = '' OR position(lower(%(text)s) IN lower(device.name)) > 0)
       AND standing.state = ANY (%(states)s)
     ORDER BY array_position(%(states)s, standing.state), device.name
     LIMIT %(size)s OFFSET %(offset)s
)
SELECT page.name, page.site, page.zone, page.state, device.profile, device.agent_version, device.status_since,
       device.status_reason, device.last_batch, device.last_live, device.skew_s, device.rejected, device.enrolled,
       device.retired,
       (SELECT count(*) FROM machine WHERE machine.device = page.id)::integer AS machines,
       coalesce((SELECT sum(greatest(mark.highest - mark.mark, 0)) FROM mark
                  WHERE mark.device = page.id AND mark.superseded IS NULL), 0)::integer AS unsettled,
       (SELECT max(expires) FROM certificate
         WHERE certificate.device = page.id AND certificate.revoked IS NULL) AS certificate_ends,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                        'use_case', runs.use_case, 'release', runs.release, 'state', runs.state, 'fell_back',
                        CASE WHEN told.event = 'fell-back' THEN told.reason ELSE '' END) ORDER BY runs.use_case)
                   FROM device_release runs
                   LEFT JOIN LATERAL (
                        SELECT report.event, report.reason FROM report
                         WHERE report.device = page.id AND report.use_case = runs.use_case
                           AND report.release = runs.release AND report.event IN ('fell-back', 'came-up')
                         ORDER BY report.time DESC, report.id DESC LIMIT 1) AS told ON true
                  WHERE runs.device = page.id), '[]') AS runs
  FROM page JOIN device ON device.id = page.id
 ORDER BY array_position(%(states)s, page.state), page.name;

-- kinds
SELECT coalesce(array_agg(DISTINCT profile ORDER BY profile), '{}') AS profiles,
       coalesce(array_agg(DISTINCT agent_version ORDER BY agent_version) FILTER (WHERE agent_version IS NOT NULL),
                '{}') AS versions
  FROM device JOIN site ON site.id = device.site
 WHERE retired IS NULL AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s));
