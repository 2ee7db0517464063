-- kind_of_sample
-- 'p': natively partitioned, 'r': a plain table, and so a hypertable.
SELECT relkind::text AS kind FROM pg_class WHERE oid = to_regclass('sample');

-- timescale_available
SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb';

-- timescale_loaded
-- Settings that the library defined; one that only a file names is not listed here.
SELECT name FROM pg_settings WHERE starts_with(name, 'timescaledb.') LIMIT 1;

-- timescale_installed
SELECT extversion AS version FROM pg_extension WHERE extname = 'timescaledb';

-- timescale_license
-- Null where the library is not loaded.
SELECT current_setting('timescaledb.license', true) AS license;

-- make_ledger
CREATE TABLE IF NOT EXISTS migration (
    name     text PRIMARY KEY,
    sha256   text NOT NULL,
    applied  timestamptz NOT NULL
);

-- has_ledger
SELECT to_regclass('migration') IS NOT NULL AS there;

-- applied
SELECT name, sha256 FROM migration ORDER BY name;

-- record
INSERT INTO migration (name, sha256, applied) VALUES (%(name)s, %(sha256)s, %(now)s);

-- hypertable
-- Chunks lie beside their table: in the extension's own schema only a superuser may index them.
SELECT create_hypertable(
    %(table)s::text::regclass, 'time',
    chunk_time_interval => %(width)s::interval,
    create_default_indexes => false,
    associated_schema_name => current_schema(),
    associated_table_prefix => %(table)s::text::name
);

-- hypertables
SELECT hypertable_name AS name FROM timescaledb_information.hypertables
 WHERE hypertable_schema = current_schema() AND hypertable_name = ANY (%(tables)s);

-- chunk_width
SELECT set_chunk_time_interval(%(table)s::regclass, %(width)s::interval);

-- is_migrated
SELECT to_regclass('capability') IS NOT NULL AS yes;

-- kept_capabilities
SELECT name, value, detail FROM capability;

-- keep_capability
INSERT INTO capability (name, value, detail, checked)
VALUES (%(name)s, %(value)s, %(detail)s, %(now)s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, detail = excluded.detail, checked = excluded.checked;

-- forget_capabilities
DELETE FROM capability WHERE name <> ALL (%(names)s);
