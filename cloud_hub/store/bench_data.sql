-- machine
WITH site AS (INSERT INTO site (name) VALUES ('bench') RETURNING id),
     device AS (INSERT INTO device (name, site, profile, added) SELECT 'bench', id, 'generic', %(now)s FROM site
                RETURNING id)
INSERT INTO machine (name, device, machine_class, added) SELECT 'line', id, 'line', %(now)s FROM device;

-- signals
INSERT INTO signal (machine, name, unit, kind, rate_hz)
SELECT machine.id, 's' || number, 'Cel', 'scalar', CASE WHEN number > %(slow)s THEN %(fast_hz)s ELSE 1 END
  FROM machine, generate_series(1, %(slow)s + 1) AS number ORDER BY number;

-- hour_of_samples
-- As batches bring them: half a minute of one signal, then of the next.
INSERT INTO sample (time, signal, value)
SELECT %(hour)s::timestamptz + block * interval '30 seconds'
       + (n - 1) * CASE WHEN signal > %(slow)s THEN %(step)s::interval ELSE interval '1 second' END,
       signal, (block * 7919 + n * 31 + signal * 104729) %% 1000 / 10.0
  FROM generate_series(0, 119) AS block
 CROSS JOIN LATERAL generate_series(1, %(slow)s + 1) AS signal
 CROSS JOIN LATERAL generate_series(1, CASE WHEN signal > %(slow)s THEN 30 * %(fast_hz)s ELSE 30 END) AS n;

-- hour_touched
INSERT INTO touched (signal, hour) SELECT id, %(hour)s FROM signal;

-- latest
INSERT INTO latest (signal, time, value) SELECT id, %(now)s, 1 FROM signal ORDER BY id;

-- minutes
-- As the job writes them while samples come: minute by minute.
INSERT INTO rollup_minute (time, signal, count, low, high, sum)
SELECT time, signal.id, 60 * rate_hz, 0, 1 + signal.id %% 7, 30 * rate_hz
  FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 minute', '1 minute') AS time, signal
 ORDER BY time, signal.id;

-- hours
INSERT INTO rollup_hour (time, signal, count, low, high, sum)
SELECT time, signal.id, 3600 * rate_hz, 0, 1 + signal.id %% 7, 1800 * rate_hz
  FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 hour', '1 hour') AS time, signal
 ORDER BY time, signal.id;

-- size
SELECT sum(pg_table_size(inhrelid))::bigint AS heap, sum(pg_indexes_size(inhrelid))::bigint AS indexes
  FROM pg_inherits WHERE inhparent = 'sample'::regclass;

-- bare
-- Partitions with samples and without an index that leads to one signal.
SELECT count(*) AS parts FROM pg_inherits
 WHERE inhparent = 'sample'::regclass AND pg_relation_size(inhrelid) > 0
   AND NOT EXISTS (SELECT FROM pg_class AS index JOIN pg_index ON index.oid = indexrelid
                    WHERE indrelid = inhrelid AND index.relname LIKE '%%\_signal');
