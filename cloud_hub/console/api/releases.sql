-- use_cases
SELECT named.use_case AS name,
       (SELECT a.use_case || '/' || a.version FROM alias a WHERE a.use_case = named.use_case AND a.name = 'champion')
       AS champion,
       (SELECT a.use_case || '/' || a.version FROM alias a WHERE a.use_case = named.use_case AND a.name = 'candidate')
       AS candidate,
       (SELECT count(*)::integer FROM model m WHERE m.use_case = named.use_case) AS releases,
       (SELECT max(m.created) FROM model m WHERE m.use_case = named.use_case) AS newest,
       (SELECT count(*)::integer FROM run r WHERE r.use_case = named.use_case AND r.state IN ('queued', 'running'))
       AS runs_open
  FROM (SELECT use_case FROM model UNION SELECT use_case FROM run) AS named
 ORDER BY named.use_case;

-- releases
-- Newest first, each with why it was trained: as the run says, else by whom it was asked for.
SELECT m.release, m.use_case, m.version, m.state, m.run, r.dataset, m.created, m.released, m.removed,
       (m.gate ->> 'passed')::boolean AS passed, coalesce(m.gate ->> 'reason', '') AS reason,
       m.gate -> 'evidence' -> 'figure' AS figure,
       (SELECT array_agg(a.name ORDER BY a.name) FROM alias a
         WHERE a.use_case = m.use_case AND a.version = m.version) AS aliases,
       coalesce(r.settings ->> 'why',
                (SELECT 'asked by ' || a.actor FROM audit a
                  WHERE a.subject = m.run AND a.action = 'retrain.request' ORDER BY a.id LIMIT 1),
                '') AS why,
       (SELECT count(*)::integer FROM device_release runs WHERE runs.release = m.release) AS devices
  FROM model m JOIN run r ON r.id = m.run
 WHERE (%(use_case)s = '' OR m.use_case = %(use_case)s)
   AND (%(state)s::text IS NULL OR m.state = %(state)s)
 ORDER BY m.created DESC, m.release DESC
 LIMIT %(size)s OFFSET %(offset)s;
