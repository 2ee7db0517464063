-- schema
SELECT to_regclass('migration') IS NOT NULL AS there;

-- migrations
SELECT name FROM migration ORDER BY name;

-- timescaledb
SELECT extversion AS version FROM pg_extension WHERE extname = 'timescaledb';

-- counts
SELECT (SELECT count(*) FROM device) AS devices,
       (SELECT max(last_batch) FROM device) AS newest_batch,
       (SELECT coalesce(max(id), 0) FROM audit) AS audit_entries,
       pg_database_size(current_database()) AS bytes;

-- audit_head
-- What the chain ended with: the newest entries of a chain can be cut off unseen, this tells.
SELECT encode(hash, 'hex') AS head FROM audit ORDER BY id DESC LIMIT 1;

-- files
-- Every file that a row speaks of, with its hash where the row knows it.
SELECT 'artifacts/' || path AS path, NULL AS sha256, 'dataset ' || id AS owner FROM dataset
UNION ALL
SELECT 'artifacts/' || onnx_path, onnx_sha256, 'model ' || release FROM model
UNION ALL
SELECT 'repository/targets/' || regexp_replace(bundle_path, '([^/]+)$', bundle_sha256 || '.\1'), bundle_sha256,
       'release ' || release
  FROM model WHERE state = 'released' AND bundle_path IS NOT NULL
 ORDER BY path;

-- relations
-- What somebody made in this database; what belongs to an extension does not count.
SELECT class.oid::regclass::text AS name
  FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = class.relnamespace
 WHERE class.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   AND space.nspname <> 'information_schema' AND NOT starts_with(space.nspname, 'pg_')
   AND NOT EXISTS (SELECT FROM pg_depend
                    WHERE pg_depend.classid = 'pg_class'::regclass AND pg_depend.objid = class.oid
                      AND pg_depend.deptype = 'e')
 ORDER BY name LIMIT 1;

-- others
-- Hub processes, or whoever else is connected; they remember what the database no longer holds.
SELECT count(*) AS number FROM pg_stat_activity
 WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
   AND backend_type = 'client backend';
