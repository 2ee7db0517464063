-- Rollouts that are under way, or changed in the span: how far, and how many devices went another way.
SELECT rollout.id AS rollout, rollout.state, rollout.release, rollout.wave, count(*) AS devices,
       round(100.0 * count(*) FILTER (WHERE told.state = 'committed') / count(*), 1)::double precision AS "committed",
       count(*) FILTER (WHERE told.state IN ('rolled-back', 'refused', 'failed', 'silent')) AS failed,
       rollout.reason, rollout.changed
  FROM rollout
  JOIN rollout_device told ON told.rollout = rollout.id
  JOIN device ON device.id = told.device
  JOIN site ON site.id = device.site
 WHERE (rollout.state IN ('running', 'awaiting', 'paused') OR $__timeFilter(rollout.changed))
   AND site.name IN (${site:sqlstring})
 GROUP BY rollout.id
 ORDER BY rollout.state IN ('running', 'awaiting', 'paused') DESC, rollout.changed DESC
 LIMIT 50;
