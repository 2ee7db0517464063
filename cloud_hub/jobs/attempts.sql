-- begin
-- The queue numbers attempts by those before: the same one twice is a worker that was forgotten and is not dead.
INSERT INTO job_attempt (job, attempt, task, queue, subject, worker, began)
VALUES (%(job)s, %(attempt)s, %(task)s, %(queue)s, %(subject)s, %(worker)s, %(now)s)
ON CONFLICT (job, attempt) DO UPDATE
   SET worker = excluded.worker, began = excluded.began, ended = NULL, outcome = NULL, reason = '';

-- end
UPDATE job_attempt SET ended = %(now)s, outcome = %(outcome)s, reason = %(reason)s
 WHERE job = %(job)s AND attempt = %(attempt)s AND worker = %(worker)s AND ended IS NULL;

-- lose
-- An attempt that nobody works at any more, although nobody said how it ended: its worker is gone.
UPDATE job_attempt SET ended = greatest(began, %(now)s), outcome = 'lost', reason = 'its worker ended in the middle of it'
 WHERE ended IS NULL
   AND NOT EXISTS (SELECT FROM procrastinate_jobs
                    WHERE id = job AND status = 'doing' AND attempts = job_attempt.attempt - 1);

-- run_error
SELECT error AS reason FROM run WHERE id = %(subject)s AND state = 'failed';

-- snapshot_error
SELECT error AS reason FROM snapshot WHERE id::text = %(subject)s AND state = 'failed';

-- publish_error
SELECT detail ->> 'error' AS reason
  FROM (SELECT action, detail FROM audit
         WHERE subject = %(subject)s
           AND action IN ('release.approve', 'release.publish', 'release.publish-failed', 'release.publish-again')
         ORDER BY id DESC LIMIT 1) AS newest
 WHERE action = 'release.publish-failed';

-- beat
INSERT INTO job_worker (queue, name, began, seen)
SELECT queue, %(worker)s, %(began)s, %(now)s FROM unnest(%(queues)s::text[]) AS queue ORDER BY queue
ON CONFLICT (queue, name) DO UPDATE SET began = excluded.began, seen = excluded.seen, ended = NULL;

-- leave
UPDATE job_worker SET seen = %(now)s, ended = %(now)s WHERE name = %(worker)s;

-- forget_attempts
DELETE FROM job_attempt WHERE began < %(before)s;

-- forget_workers
-- The one that was seen last stays: it says since when there has been none.
DELETE FROM job_worker
 WHERE seen < %(before)s
   AND EXISTS (SELECT FROM job_worker later WHERE later.queue = job_worker.queue AND later.seen > job_worker.seen);
