-- count
SELECT count(*) AS datasets FROM dataset WHERE %(use_case)s = '' OR use_case = %(use_case)s;

-- page
-- Newest first; of the manifests only those of a page are opened.
SELECT dataset.id, dataset.use_case, dataset.hash, dataset.rows, dataset.machines, dataset.lives, dataset.feature_set,
       dataset.created, told.*,
       (SELECT count(*) FROM run WHERE run.dataset = dataset.id)::integer AS runs
  FROM (SELECT * FROM dataset WHERE %(use_case)s = '' OR use_case = %(use_case)s
         ORDER BY created DESC, id LIMIT %(size)s OFFSET %(offset)s) AS dataset
 CROSS JOIN LATERAL (
       SELECT jsonb_array_length(CASE jsonb_typeof(manifest -> 'warnings') WHEN 'array' THEN manifest -> 'warnings'
                                 ELSE '[]' END) AS warnings) AS told
 ORDER BY dataset.created DESC, dataset.id;

-- use_cases
SELECT DISTINCT use_case AS name FROM dataset ORDER BY 1;

-- one
-- By its hash, or by the id that commands show.
SELECT id, use_case, hash, rows, machines, lives, feature_set, manifest, created, path FROM dataset
 WHERE hash = %(name)s OR id = %(name)s ORDER BY hash = %(name)s DESC LIMIT 1;

-- others
-- Of the same use case, newest first.
SELECT id, created FROM dataset WHERE use_case = %(use_case)s AND id <> %(id)s ORDER BY created DESC, id LIMIT %(most)s;
