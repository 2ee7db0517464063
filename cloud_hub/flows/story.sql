-- entries
-- Of the chain, oldest first: the beginning of a long story says more than its end.
SELECT id, time, actor, action, subject, detail FROM audit
 WHERE correlation = %(correlation)s ORDER BY id LIMIT %(most)s;

-- entries_count
SELECT count(*)::integer AS entries FROM audit WHERE correlation = %(correlation)s;

-- runs
SELECT id, use_case, state, error, dataset, code, created, finished, settings ->> 'why' AS why
  FROM run WHERE correlation = %(correlation)s ORDER BY created LIMIT 50;

-- looks
-- What was found when triggers were looked at, where it started one of these runs.
SELECT checked, use_case, release, reasons, run FROM trigger_check WHERE run = ANY (%(runs)s) ORDER BY checked;

-- datasets
SELECT id, rows, machines, lives, created FROM dataset WHERE id = ANY (%(datasets)s) ORDER BY created;

-- models
SELECT release, run, state, created, released, (gate -> 'passed')::boolean AS passed, gate ->> 'reason' AS reason
  FROM model WHERE run = ANY (%(runs)s) ORDER BY created;

-- rollouts
SELECT id, release, state, reason, created, changed, created_by FROM rollout
 WHERE correlation = %(correlation)s ORDER BY created LIMIT 50;

-- devices
-- How many devices of each rollout stand how, and since when.
SELECT rollout, state, count(*)::integer AS devices, min(changed) AS first, max(changed) AS last
  FROM rollout_device WHERE rollout = ANY (%(rollouts)s) AND state <> 'waiting'
 GROUP BY rollout, state ORDER BY min(changed);

-- troubles
-- The devices that went another way than forward, with the reason each gave.
SELECT rollout_device.rollout, device.name AS device, rollout_device.state, rollout_device.reason,
       rollout_device.changed
  FROM rollout_device JOIN device ON device.id = rollout_device.device
 WHERE rollout_device.rollout = ANY (%(rollouts)s) AND rollout_device.state = ANY (%(states)s)
 ORDER BY rollout_device.changed LIMIT %(most)s;
