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
-- In the order of time: the rows of one signal lie as far apart as they can.
INSERT INTO sample (time, signal, value)
SELECT %(hour)s::timestamptz + second * interval '1 second' + tick * %(step)s::interval, signal,
       (second * 7919 + tick * 31 + signal * 104729) %% 1000 / 10.0
  FROM generate_series(0, 3599) AS second
 CROSS JOIN (SELECT signal, 0 AS tick FROM generate_series(1, %(slow)s) AS signal
             UNION ALL SELECT %(slow)s + 1, tick FROM generate_series(0, %(fast_hz)s - 1) AS tick) AS source;

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
