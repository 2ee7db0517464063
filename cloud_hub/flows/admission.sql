-- candidates
-- Models that the gate let pass, of trainings that a policy started, which nobody has approved yet: the newest of each use case.
SELECT DISTINCT ON (m.use_case) m.use_case, m.release
  FROM model m JOIN run r ON r.id = m.run
 WHERE m.state = 'candidate' AND r.settings ? 'why'
   AND NOT EXISTS (SELECT FROM approval p WHERE p.release = m.release)
   AND NOT EXISTS (SELECT FROM model later WHERE later.use_case = m.use_case AND later.version > m.version
                      AND later.state <> 'refused')
 ORDER BY m.use_case, m.version DESC;

-- released
-- What a policy approved and nobody has rolled out yet; an older version is no news any more.
SELECT m.use_case, m.release
  FROM model m
 WHERE m.state = 'released'
   AND EXISTS (SELECT FROM approval p WHERE p.release = m.release AND p.person = %(actor)s)
   AND NOT EXISTS (SELECT FROM rollout o WHERE o.release = m.release)
   AND NOT EXISTS (SELECT FROM rollout o JOIN model later ON later.release = o.release
                    WHERE later.use_case = m.use_case AND later.version > m.version)
 ORDER BY m.use_case, m.version;
