-- insert
INSERT INTO snapshot (use_case, since, state, correlation, asked_by, asked)
VALUES (%(use_case)s, %(since)s, 'queued', %(correlation)s, %(actor)s, %(now)s)
ON CONFLICT (use_case) WHERE state IN ('queued', 'running') DO NOTHING
RETURNING id;

-- open
SELECT id, since, asked_by, asked FROM snapshot
 WHERE use_case = %(use_case)s AND state IN ('queued', 'running');

-- own
-- Take it over: whoever held an earlier attempt can write no outcome any more.
UPDATE snapshot SET state = 'running', attempt = attempt + 1
 WHERE id = %(id)s AND state IN ('queued', 'running')
RETURNING id, attempt, use_case, since, correlation, asked_by;

-- finish
UPDATE snapshot SET state = 'done', dataset = %(dataset)s, finished = %(now)s
 WHERE id = %(id)s AND attempt = %(attempt)s AND state = 'running'
RETURNING id;

-- fail
UPDATE snapshot SET state = 'failed', error = %(error)s, finished = %(now)s
 WHERE id = %(id)s AND state IN ('queued', 'running')
   AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
RETURNING use_case, correlation;

-- newest
SELECT id, use_case, since, state, dataset, error, asked_by, asked, finished FROM snapshot
 ORDER BY id DESC LIMIT %(most)s;
