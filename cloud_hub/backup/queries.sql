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
 WHERE strpos(path, '://') = 0
UNION ALL
SELECT 'artifacts/' || onnx_path, onnx_sha256, 'model ' || release FROM model
UNION ALL
SELECT 'repository/targets/' || regexp_replace(bundle_path, '([^/]+)$', bundle_sha256 || '.\1'), bundle_sha256,
       'release ' || release
  FROM model WHERE state = 'released' AND bundle_path IS NOT NULL
 ORDER BY path;

-- elsewhere
-- Datasets at a URL: whoever keeps that place keeps them.
SELECT count(*) AS datasets FROM dataset WHERE strpos(path, '://') > 0;

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

-- superuser
SELECT rolsuper AS yes FROM pg_roles WHERE rolname = current_user;

-- owner
SELECT pg_get_userbyid(datdba) AS name, pg_get_userbyid(datdba) <> current_user AS other
  FROM pg_database WHERE datname = current_database();

-- hand_over
-- Statements that give what a superuser restored to the owner of the database: tables before what is theirs.
WITH mine AS (SELECT oid FROM pg_namespace
               WHERE nspname <> 'information_schema' AND NOT starts_with(nspname, 'pg_')
                 AND NOT starts_with(nspname, '_timescaledb')),
foreign_to_us AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
SELECT format('ALTER %%s %%s OWNER TO %%I',
              CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                           ELSE 'TABLE' END,
              class.oid::regclass, %(owner)s::text) AS statement, 1 AS turn
  FROM pg_class AS class
 WHERE relnamespace IN (SELECT oid FROM mine) AND relkind IN ('r', 'p', 'v', 'm', 'S')
   AND (relkind <> 'S' OR NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND deptype IN ('a', 'i')))
   AND ('pg_class'::regclass, class.oid) NOT IN (SELECT classid, objid FROM foreign_to_us)
   AND class.oid NOT IN (SELECT format('%%I.%%I', chunk_schema, chunk_name)::regclass
                           FROM timescaledb_information.chunks)  -- they follow their hypertable
UNION ALL
SELECT format('ALTER ROUTINE %%s OWNER TO %%I', routine.oid::regprocedure, %(owner)s::text), 2
  FROM pg_proc AS routine
 WHERE pronamespace IN (SELECT oid FROM mine)
   AND ('pg_proc'::regclass, routine.oid) NOT IN (SELECT classid, objid FROM foreign_to_us)
UNION ALL
SELECT format('ALTER TYPE %%s OWNER TO %%I', type.oid::regtype, %(owner)s::text), 3
  FROM pg_type AS type LEFT JOIN pg_class AS class ON class.oid = type.typrelid
 WHERE typnamespace IN (SELECT oid FROM mine) AND (typtype IN ('e', 'd') OR class.relkind = 'c')
   AND ('pg_type'::regclass, type.oid) NOT IN (SELECT classid, objid FROM foreign_to_us)
 ORDER BY turn, statement;
