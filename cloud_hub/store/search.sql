-- search
-- Whatever has a name that begins so, at most so many of each kind. `prefix` is a pattern of LIKE in lower case.
(SELECT 'machine' AS kind, machine.name, machine.machine_class || ' at ' || site.name AS detail,
        device.retired IS NOT NULL AS gone
   FROM machine JOIN device ON device.id = machine.device JOIN site ON site.id = device.site
  WHERE lower(machine.name) LIKE %(prefix)s AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
  ORDER BY lower(machine.name) USING ~<~ LIMIT %(most)s)
UNION ALL
(SELECT 'device', device.name, device.profile || ' at ' || site.name, device.retired IS NOT NULL
   FROM device JOIN site ON site.id = device.site
  WHERE lower(device.name) LIKE %(prefix)s AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
  ORDER BY lower(device.name) USING ~<~ LIMIT %(most)s)
UNION ALL
(SELECT 'site', site.name, site.zone, false
   FROM site WHERE lower(site.name) LIKE %(prefix)s AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
  ORDER BY site.name LIMIT %(most)s)
UNION ALL
(SELECT 'use case', told.use_case, 'champion ' || coalesce(
        (SELECT use_case || '/' || version FROM alias WHERE alias.use_case = told.use_case AND name = 'champion'), 'none'),
        false
   FROM (SELECT DISTINCT use_case FROM model WHERE lower(use_case) LIKE %(prefix)s) AS told
  ORDER BY told.use_case LIMIT %(most)s)
UNION ALL
(SELECT 'release', model.release, model.state, model.state = 'removed'
   FROM model WHERE lower(model.release) LIKE %(prefix)s ORDER BY model.created DESC, model.version DESC LIMIT %(most)s)
UNION ALL
(SELECT 'rollout', rollout.id, rollout.release || ', ' || rollout.state, false
   FROM rollout
  WHERE lower(rollout.id) LIKE %(prefix)s
    AND (%(sites)s::text[] IS NULL OR EXISTS (
         SELECT FROM rollout_device rd JOIN device ON device.id = rd.device JOIN site ON site.id = device.site
          WHERE rd.rollout = rollout.id AND site.name = ANY (%(sites)s)))
  ORDER BY rollout.created DESC LIMIT %(most)s);
