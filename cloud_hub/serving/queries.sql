-- champions
SELECT m.release, m.use_case, m.bundle_path, m.bundle_sha256
  FROM alias a JOIN model m USING (use_case, version)
 WHERE a.name = 'champion' AND m.state = 'released' AND m.bundle_path IS NOT NULL
 ORDER BY m.use_case;

-- released
SELECT release, use_case, bundle_path, bundle_sha256
  FROM model
 WHERE release = %(release)s AND state = 'released' AND bundle_path IS NOT NULL;

-- said
-- What devices predicted with a release, to hold against what it says now.
SELECT m.name AS machine, p.time, p.values
  FROM prediction p JOIN machine m ON m.id = p.machine
 WHERE p.release = %(release)s AND m.name = ANY (%(machines)s) AND p.time BETWEEN %(first)s AND %(last)s;
