-- running
SELECT job.id, job.task_name AS task, job.queue_name AS queue, job.attempts + 1 AS attempt,
       coalesce(noted.subject, '') AS subject, noted.worker,
       coalesce(noted.began, (SELECT max(at) FROM procrastinate_events
                               WHERE job_id = job.id AND type = 'started')) AS began,
       run.stage, run.progress
  FROM procrastinate_jobs job
  LEFT JOIN job_attempt noted ON noted.job = job.id AND noted.attempt = job.attempts + 1
  LEFT JOIN run ON job.task_name = 'retrain' AND run.id = job.args ->> 'run'
 WHERE job.status = 'doing'
 ORDER BY job.id
 LIMIT %(most)s;

-- waiting
-- In the order in which they are taken, each with the job of its lock that comes before it: the one that runs, or
-- the first to be taken, which is found once for all of a lock. `args` of a job hold names alone, and only those that
-- are known are told.
WITH first AS MATERIALIZED (
    SELECT DISTINCT ON (lock) lock, id, status, task_name FROM procrastinate_jobs
     WHERE lock IS NOT NULL AND status IN ('todo', 'doing')
     ORDER BY lock, status = 'doing' DESC, priority DESC, id
)
SELECT job.id, job.task_name AS task, job.queue_name AS queue, job.attempts, job.scheduled_at AS due,
       coalesce(job.args ->> 'run', job.args ->> 'release', job.args ->> 'number', job.args ->> 'use_case', '') AS subject,
       (SELECT min(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'deferred') AS asked,
       run.state AS run_state, ahead.id AS ahead, ahead.status::text AS ahead_status, ahead.task_name AS ahead_task,
       (SELECT count(*) FROM procrastinate_jobs busy
         WHERE busy.queue_name = job.queue_name AND busy.status = 'doing')::integer AS busy
  FROM procrastinate_jobs job
  LEFT JOIN run ON job.task_name = 'retrain' AND run.id = job.args ->> 'run'
  LEFT JOIN first AS ahead ON ahead.lock = job.lock AND ahead.id <> job.id
 WHERE job.status = 'todo'
 ORDER BY job.priority DESC, job.id
 LIMIT %(most)s;

-- waiting_count
SELECT count(*)::integer AS jobs FROM procrastinate_jobs WHERE status = 'todo';

-- workers
-- Of each queue the one that was seen last, and how many were seen just now.
SELECT DISTINCT ON (queue) queue, name, began, seen, ended,
       (count(*) FILTER (WHERE ended IS NULL AND seen > %(since)s) OVER (PARTITION BY queue))::integer AS alive
  FROM job_worker
 ORDER BY queue, seen DESC;

-- newest_of_tasks
-- How each of the tasks that come round went the last time.
SELECT DISTINCT ON (task.name) task.name AS task, newest.job, newest.began, newest.ended, newest.outcome, newest.reason
  FROM unnest(%(tasks)s::text[]) AS task (name)
 CROSS JOIN LATERAL (SELECT * FROM job_attempt WHERE job_attempt.task = task.name
                      ORDER BY began DESC LIMIT 1) AS newest;

-- durations
-- Of the newest attempts of each task that went well or not: those that were stopped say nothing.
SELECT task.name AS task, count(*)::integer AS attempts,
       (count(*) FILTER (WHERE outcome = 'failed'))::integer AS failed,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS middle,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS most, max(seconds) AS longest
  FROM unnest(%(tasks)s::text[]) AS task (name)
 CROSS JOIN LATERAL (
       SELECT outcome, extract(epoch FROM ended - began)::double precision AS seconds
         FROM job_attempt
        WHERE job_attempt.task = task.name AND began > %(since)s AND outcome IN ('done', 'failed')
        ORDER BY began DESC LIMIT %(most)s) AS recent
 GROUP BY task.name;

-- history_count
SELECT count(*)::integer AS attempts FROM job_attempt
 WHERE ended IS NOT NULL
   AND (task = %(task)s OR %(task)s = '' AND (outcome <> 'done' OR task <> ALL (%(upkeep)s::text[])))
   AND (%(outcome)s = '' OR outcome = %(outcome)s)
   AND (%(subject)s = '' OR subject = %(subject)s);

-- history
-- Newest first. What goes well every minute is listed only where it is asked for.
SELECT job, attempt, task, queue, subject, worker, began, ended, outcome, reason FROM job_attempt
 WHERE ended IS NOT NULL
   AND (task = %(task)s OR %(task)s = '' AND (outcome <> 'done' OR task <> ALL (%(upkeep)s::text[])))
   AND (%(outcome)s = '' OR outcome = %(outcome)s)
   AND (%(subject)s = '' OR subject = %(subject)s)
 ORDER BY began DESC, job DESC
 LIMIT %(size)s OFFSET %(offset)s;

-- attempts
SELECT job, attempt, task, queue, subject, worker, began, ended, outcome, reason FROM job_attempt
 WHERE job = %(job)s ORDER BY attempt DESC LIMIT 100;

-- job
-- As the queue knows it, which is not for long once it went well.
SELECT id, task_name AS task, queue_name AS queue, status::text AS status, priority, lock, queueing_lock,
       scheduled_at AS due, attempts, jsonb_strip_nulls(jsonb_build_object(
           'run', args -> 'run', 'release', args -> 'release', 'number', args -> 'number',
           'use_case', args -> 'use_case', 'timestamp', args -> 'timestamp')) AS arguments,
       (SELECT count(*) FROM jsonb_object_keys(args) AS named (name)
         WHERE name NOT IN ('run', 'release', 'number', 'use_case', 'timestamp'))::integer AS untold
  FROM procrastinate_jobs WHERE id = %(job)s;

-- events
SELECT type::text AS type, at FROM procrastinate_events WHERE job_id = %(job)s AND at IS NOT NULL
 ORDER BY at DESC, id DESC LIMIT 100;

-- run
SELECT run.id, run.use_case, run.state, run.stage, run.progress, run.error, run.dataset, run.correlation,
       run.created, run.finished, model.release
  FROM run LEFT JOIN model ON model.run = run.id WHERE run.id = %(subject)s ORDER BY model.version DESC LIMIT 1;

-- release
SELECT model.release, model.use_case, model.state, model.released, run.correlation
  FROM model JOIN run ON run.id = model.run WHERE model.release = %(subject)s;

-- rollouts
SELECT id, release, state, reason FROM rollout WHERE followed ORDER BY created DESC LIMIT 20;
