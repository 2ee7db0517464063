-- record
-- What speaks against a release: its gate, and rollouts of it that ended badly, the newest first.
SELECT coalesce(NOT (m.gate ->> 'passed')::boolean, false) AS failed_gate,
       ARRAY (SELECT id FROM rollout
               WHERE release = m.release AND state IN ('halted', 'undone')
                 AND (%(sites)s::text[] IS NULL
                      OR EXISTS (SELECT FROM rollout_device JOIN device ON device.id = rollout_device.device
                                   JOIN site ON site.id = device.site
                                  WHERE rollout_device.rollout = rollout.id AND site.name = ANY (%(sites)s)))
               ORDER BY created DESC LIMIT 3) AS stopped
  FROM model m
 WHERE m.release = %(release)s;

-- releases
-- What could be rolled out, newest first in each use case, and what of it cannot.
SELECT m.release, m.use_case, m.version, m.released, m.gate ->> 'reason' AS said,
       m.manifest ->> 'machine_class' AS machine_class,
       CASE WHEN m.state = 'released' AND m.bundle_path IS NULL THEN 'approved' ELSE m.state END AS state,
       coalesce((SELECT array_agg(a.name ORDER BY a.name) FROM alias a
                  WHERE a.use_case = m.use_case AND a.version = m.version), '{}') AS aliases
  FROM model m
 ORDER BY m.use_case, m.version DESC
 LIMIT %(most)s;

-- facets
-- By what devices in service may be chosen, each with how many there are; those of most devices first.
WITH chosen AS (
    SELECT d.profile, d.target, d.tags, s.name AS site, s.zone
      FROM device d JOIN site s ON s.id = d.site
     WHERE d.retired IS NULL AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s::text[]))
), counted AS (
    SELECT 'site' AS facet, site AS name, min(zone) AS detail, count(*) AS devices FROM chosen GROUP BY site
    UNION ALL
    SELECT 'tag', tag, '', count(*) FROM chosen, unnest(tags) AS tag GROUP BY tag
    UNION ALL
    SELECT 'profile', profile, '', count(*) FROM chosen GROUP BY profile
    UNION ALL
    SELECT 'target', target, '', count(*) FROM chosen WHERE target IS NOT NULL GROUP BY target
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY facet ORDER BY devices DESC, name) AS place,
           count(*) OVER (PARTITION BY facet) AS among
      FROM counted
)
SELECT facet, name, detail, devices, among FROM ranked WHERE place <= %(most)s ORDER BY facet, name;

-- unknown
-- Of the names of a selector, those that mean nothing, as far as the caller may know.
WITH places AS (
    SELECT id, name FROM site WHERE %(seen)s::text[] IS NULL OR name = ANY (%(seen)s::text[])
), found AS (
    SELECT d.name, d.profile, d.target, d.tags FROM device d JOIN places ON places.id = d.site
)
SELECT 'site' AS field, told.name FROM unnest(%(site)s::text[]) AS told (name)
 WHERE NOT EXISTS (SELECT FROM places WHERE places.name = told.name)
UNION ALL
SELECT 'tag', told.name FROM unnest(%(tag)s::text[]) AS told (name)
 WHERE told.name NOT IN (SELECT unnest(tags) FROM found)
UNION ALL
SELECT 'profile', told.name FROM unnest(%(profile)s::text[]) AS told (name)
 WHERE NOT EXISTS (SELECT FROM found WHERE found.profile = told.name)
UNION ALL
SELECT 'target', told.name FROM unnest(%(target)s::text[]) AS told (name)
 WHERE NOT EXISTS (SELECT FROM found WHERE found.target = told.name)
UNION ALL
SELECT 'device', told.name FROM unnest(%(device)s::text[]) AS told (name)
 WHERE NOT EXISTS (SELECT FROM found WHERE found.name = told.name);
