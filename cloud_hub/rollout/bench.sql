-- preload
ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';

-- count_statements
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;

-- statements
SELECT coalesce(sum(calls), 0)::bigint AS calls
  FROM pg_stat_statements
 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database());

-- born
SELECT count(*) AS born FROM device WHERE born IS NOT NULL AND online;

-- state
SELECT state, reason FROM rollout WHERE id = %(rollout)s;

-- endings
SELECT d.name, rd.state
  FROM rollout_device rd JOIN device d ON d.id = rd.device
 WHERE rd.rollout = %(rollout)s;

-- reports
SELECT count(*) AS reports FROM report WHERE rollout = %(rollout)s;

-- reached
SELECT count(DISTINCT device) AS devices FROM directive WHERE rollout = %(rollout)s;

-- first_wave
SELECT count(*) AS devices FROM rollout_device WHERE rollout = %(rollout)s AND wave = 1;

-- halt
-- Seconds from the first failure that was stored to the decision.
SELECT extract(epoch FROM halted - first_failure)::double precision AS seconds FROM rollout WHERE id = %(rollout)s;
