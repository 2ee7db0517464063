-- journal
SELECT r.time, r.use_case, r.release, r.state, r.event, r.reason, r.rollout, r.directive_sequence, r.evidence
  FROM report r JOIN device d ON d.id = r.device
 WHERE d.name = %(device)s
 ORDER BY r.time DESC, r.id DESC
 LIMIT %(size)s OFFSET %(offset)s;
