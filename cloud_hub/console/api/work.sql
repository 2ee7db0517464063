-- open_run
SELECT id FROM run WHERE use_case = %(use_case)s AND state IN ('queued', 'running') ORDER BY created LIMIT 1;
