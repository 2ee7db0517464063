-- others
-- Who else works with this database.
SELECT count(*) AS number, coalesce(string_agg(DISTINCT nullif(application_name, ''), ', '), '') AS names
  FROM pg_stat_activity
 WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid();

-- tables
-- Every table of the schema, without partitions and chunks; `parents` are those its foreign keys name.
SELECT class.relname AS name,
       ARRAY (SELECT DISTINCT confrelid::regclass::text FROM pg_constraint
               WHERE contype = 'f' AND conrelid = class.oid AND confrelid <> class.oid) AS parents
  FROM pg_class AS class
 WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind IN ('r', 'p')
   AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = class.oid)
   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND classid = 'pg_class'::regclass AND deptype = 'e')
 ORDER BY class.relname;

-- columns
SELECT attname AS name FROM pg_attribute
 WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
 ORDER BY attname;

-- triggers
-- Tables on which something happens when a row comes: it has happened where the row was made.
SELECT DISTINCT tgrelid::regclass::text AS name FROM pg_trigger
  JOIN pg_class ON pg_class.oid = tgrelid
 WHERE NOT tgisinternal AND starts_with(relname, 'procrastinate_')
   AND relnamespace = current_schema()::regnamespace;

-- sequences
SELECT class.relname AS table_name, attname AS column_name,
       pg_get_serial_sequence(quote_ident(class.relname), attname) AS name
  FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
 WHERE class.relnamespace = current_schema()::regnamespace AND class.relkind = 'r' AND attnum > 0
   AND NOT attisdropped AND pg_get_serial_sequence(quote_ident(class.relname), attname) IS NOT NULL;

-- continue
SELECT setval(%(name)s::regclass, %(last)s, %(called)s);

-- applied
SELECT name, sha256 FROM migration ORDER BY name;

-- is_migrated
SELECT to_regclass('migration') IS NOT NULL AS yes;
