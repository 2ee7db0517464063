-- sites
INSERT INTO site (name, zone)
SELECT 'plant-' || number, (ARRAY['UTC', 'Europe/Paris', 'America/Chicago', 'Asia/Tokyo'])[1 + number %% 4]
  FROM generate_series(1, %(sites)s) AS number;

-- devices
-- One in fifty is offline, one in a hundred has not enrolled yet, one in a hundred is retired.
INSERT INTO device (name, site, profile, tags, key_fingerprint, added, enrolled, retired, online, status_since, born,
                    agent_version, target, last_batch, last_live, skew_s, rejected)
SELECT 'cell-' || lpad(number::text, 5, '0'), 1 + number %% %(sites)s,
       (ARRAY['generic', 'jetson-orin-nano', 'jetson-agx-orin'])[1 + number %% 3], ARRAY['line-' || number %% 12],
       CASE WHEN number %% 100 <> 7 THEN md5(number::text) END, %(now)s - interval '90 days',
       CASE WHEN number %% 100 <> 7 THEN %(now)s - interval '89 days' END,
       CASE WHEN number %% 100 = 8 THEN %(now)s - interval '9 days' END,
       number %% 50 NOT IN (7, 8, 11), %(now)s - interval '3 hours',
       CASE WHEN number %% 100 <> 7 THEN %(now)s - interval '3 hours' END, '0.' || 1 + number %% 3 || '.0', 'linux-x86_64',
       %(now)s - make_interval(secs => number %% 60), %(now)s - make_interval(secs => CASE WHEN number %% 40 = 3
       THEN 7200 ELSE number %% 60 END), (number %% 17) / 100.0, CASE WHEN number %% 23 = 0 THEN number %% 90 ELSE 0 END
  FROM generate_series(1, %(devices)s) AS number;

-- about_devices
WITH mark AS (
    INSERT INTO mark (device, epoch, mark, opened, last_seen, resent, highest, backlog)
    SELECT id, epoch, 9000 + id, added, last_batch, id %% 30, 9000 + id + id %% 5, CASE WHEN id %% 40 = 3 THEN 70 ELSE 0 END
      FROM device CROSS JOIN generate_series(1, 2) AS epoch WHERE enrolled IS NOT NULL
), certificate AS (
    INSERT INTO certificate (serial, device, key_fingerprint, issued, expires)
    SELECT md5('serial' || id), id, md5(id::text), added, added + interval '1 year' FROM device WHERE enrolled IS NOT NULL
), gap AS (
    INSERT INTO gap (device, from_time, to_time, reason, noted)
    SELECT id, born - interval '2 hours', born, 'agent-down', born FROM device CROSS JOIN generate_series(1, 2)
     WHERE born IS NOT NULL
), quarantine AS (
    INSERT INTO quarantine (device, topic, reason, detail, payload, sha256, bytes, received)
    SELECT id, 'andon/v1/' || name || '/batch', 'NotFinite', 'expected finite values, got NaN', 'x', md5(name)::bytea, 1,
           %(now)s FROM device WHERE rejected > 0
), running AS (
    INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)
    SELECT id, 'motor-health', 'motor-health/' || 1 + id %% 2, 1, 'committed', %(now)s FROM device WHERE enrolled IS NOT NULL
), report AS (
    INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout, correlation,
                        evidence, time, received)
    SELECT id, 'motor-health', 7, state, event, '', 'motor-health/2', 'motor-health-2-a', 'trace-2', '{}', at, at
      FROM device
     CROSS JOIN (VALUES (1, 'downloading', 'began'), (2, 'verifying', 'downloaded'), (3, 'staged', 'verified'),
                        (4, 'probation', 'switched'), (5, 'committed', 'probation-passed'),
                        (6, 'committed', 'fell-back')) AS told (place, state, event)
     CROSS JOIN LATERAL (SELECT %(now)s - interval '2 days' + make_interval(secs => id * 10 + told.place) AS at) AS time
     WHERE enrolled IS NOT NULL AND (event <> 'fell-back' OR id %% 60 = 1)
)
INSERT INTO incident (kind, device, detail, opened, closed)
SELECT 'device-silent', id, 'nothing was heard of it for 15 minutes', %(now)s - make_interval(hours => 1 + id %% 200),
       CASE WHEN id %% 500 <> 11 THEN %(now)s - make_interval(mins => 1 + id %% 50) END
  FROM device WHERE id %% 5 = 1;

-- machines
INSERT INTO machine (name, device, machine_class, feature_set, added)
SELECT (ARRAY['pump', 'motor', 'fan'])[1 + number %% 3] || '-' || lpad(number::text, 4, '0'), number,
       (ARRAY['motor-pump', 'motor', 'fan'])[1 + number %% 3], 'vibration-trend/1', %(now)s - interval '90 days'
  FROM generate_series(1, %(machines)s) AS number;

-- signals
INSERT INTO signal (machine, name, unit, kind, rate_hz)
SELECT machine.id, told.name, told.unit, 'scalar', 0.1
  FROM machine
 CROSS JOIN (VALUES (1, 'pressure', 'bar'), (2, 'temperature', 'Cel'), (3, 'flow', 'm3/h'), (4, 'current', 'A'),
                    (5, 'speed', '/min')) AS told (place, name, unit)
 ORDER BY machine.id, told.place;

-- model
WITH dataset AS (
    INSERT INTO dataset (id, use_case, hash, path, rows, machines, lives, feature_set, manifest, created)
    VALUES ('motor-health-' || %(version)s, 'motor-health', md5(%(version)s::text), 'datasets/a', 20160, 12, 26,
            'vibration-trend/1', '{}', %(now)s)
), run AS (
    INSERT INTO run (id, use_case, dataset, state, progress, code, correlation, created, finished)
    VALUES ('motor-health-r' || %(version)s, 'motor-health', 'motor-health-' || %(version)s, 'done', 1, 'andon',
            'trace-' || %(version)s, %(now)s, %(now)s)
), model AS (
    INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, bundle_path,
                       bundle_sha256, created, released)
    VALUES ('motor-health', %(version)s, 'motor-health/' || %(version)s, 'motor-health-r' || %(version)s, 'released',
            'x.onnx', 'c4', %(manifest)s, '{"passed": true, "reason": "RMSE 31 h", "checks": [], "evidence": {}}',
            'b.zip', 'ab', %(now)s, %(now)s)
)
INSERT INTO alias (use_case, name, version)
VALUES ('motor-health', (ARRAY['candidate', 'champion'])[%(version)s], %(version)s);

-- hour_of_samples
INSERT INTO sample (time, signal, value)
SELECT %(hour)s::timestamptz + (n - 1) * interval '1 hour' / %(each)s, signal.id,
       (n * 31 + signal.id * 7919) %% 1000 / 10.0
  FROM signal CROSS JOIN generate_series(1, %(each)s) AS n;

-- hour_touched
INSERT INTO touched (signal, hour) SELECT id, %(hour)s FROM signal;

-- latest
INSERT INTO latest (signal, time, value) SELECT id, %(now)s, 1 FROM signal ORDER BY id;

-- predictions
INSERT INTO prediction (time, machine, device, epoch, sequence, release, values)
SELECT time, machine.id, machine.device, 1, 1, 'motor-health/2', ARRAY[life, life * 0.8, life * 1.2, 0.2 + machine.id %% 9 / 10.0]
  FROM generate_series(%(start)s::timestamptz, %(now)s::timestamptz - interval '1 hour', '1 hour') AS time
 CROSS JOIN machine
 CROSS JOIN LATERAL (SELECT 40 + machine.id * 7919 %% 400
                            + extract(epoch FROM %(now)s::timestamptz - time) / 3600 AS life) AS told;

-- latest_predictions
INSERT INTO latest_prediction (machine, use_case, release, time, values)
SELECT DISTINCT ON (machine) machine, 'motor-health', release, time, values FROM prediction
 WHERE time > %(now)s::timestamptz - interval '2 hours' ORDER BY machine, time DESC;

-- alarms
INSERT INTO alarm (machine, use_case, release, opened, closed, severity, message)
SELECT machine.id, 'motor-health', 'motor-health/2', opened, CASE WHEN number > 1 OR machine.id %% 19 > 0
       THEN opened + interval '5 hours' END, 1, 'remaining life 61 h is below 72 h, 3 in a row'
  FROM machine CROSS JOIN generate_series(1, 20) AS number
 CROSS JOIN LATERAL (SELECT %(now)s - make_interval(hours => number * 90, secs => machine.id) AS opened) AS time;

-- rollout
INSERT INTO rollout (id, use_case, release, plan, state, wave, correlation, created_by, created, changed)
VALUES ('motor-health-2-a', 'motor-health', 'motor-health/2', %(plan)s, 'done', 3, 'trace-2', 'mira',
        %(now)s - interval '3 days', %(now)s - interval '1 day');

-- rollout_devices
INSERT INTO rollout_device (rollout, device, wave, state, sequence, previous, changed)
SELECT 'motor-health-2-a', id, 1 + least(id / 100, 2), CASE WHEN id %% 50 = 11 THEN 'rolled-back' ELSE 'committed' END, 7,
       'motor-health/1', %(now)s - interval '1 day' FROM device WHERE enrolled IS NOT NULL AND retired IS NULL;

-- dataset
-- Of all machines, each measured, with as many features as a vibration trend makes.
INSERT INTO dataset (id, use_case, hash, path, rows, machines, lives, feature_set, manifest, created)
SELECT 'motor-health-3', 'motor-health', md5('3'), 'datasets/c', 4e6, %(machines)s, 900, 'vibration-trend/1',
       jsonb_build_object(
           'rows_by_machine', jsonb_object_agg(name, 2000),
           'warnings', jsonb_build_array('up to 12%% of the rows of pump-0003 are missing'),
           'features', (SELECT jsonb_agg(jsonb_build_object('name', 'feature_' || n, 'unit', 'bar'))
                          FROM generate_series(1, 120) AS n),
           'distributions', (SELECT jsonb_object_agg('feature_' || n, jsonb_build_object('low', 1.25, 'high', 8.5,
                                    'median', 4.25, 'below', 500, 'above', 500, 'counts',
                                    (SELECT jsonb_agg(100 + b * n) FROM generate_series(1, 24) AS b)))
                               FROM generate_series(1, 120) AS n),
           'quality', jsonb_build_object(
               'findings', jsonb_build_array(jsonb_build_object('check', 'missing', 'text',
                                             'up to 12%% of the rows of pump-0003 are missing')),
               'signals', jsonb_build_object('pressure', jsonb_build_object('constant', false, 'stuck', '[]'::jsonb,
                                             'spikes', 0.0, 'beyond', 0.0)),
               'machines', jsonb_object_agg(name, jsonb_build_object('rows', 2000, 'missing', 0.01, 'missing_hours',
                                            jsonb_build_object('agent-down', 4.5), 'repeated', 0, 'denied', 0,
                                            'disorder', 0, 'skew_s', 0.1)))), %(now)s
  FROM machine;

-- quarantine
-- A hundred thousand messages at full scale, of the sizes that batches have.
INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, payload, sha256, bytes, received)
SELECT device.id, 'andon/v1/' || device.name || '/batch', 1, n, (ARRAY['NotFinite', 'TooLate', 'WrongWidth'])[1 + n %% 3],
       'expected finite values, got NaN', decode(repeat(md5(n::text), 40), 'hex'), decode(md5(n::text), 'hex'), 640,
       %(now)s - make_interval(secs => n)
  FROM device CROSS JOIN generate_series(1, 10) AS n;

-- acts
-- What else the deep pages look through: verdicts, other rollouts, and datasets that were asked for.
WITH label AS (
    INSERT INTO label (machine, time, kind, detail, source, added)
    SELECT machine.id, %(now)s - make_interval(hours => n * 50, secs => machine.id), (ARRAY['failure', 'maintenance'])[1 + n %% 2],
           '{"what": "bearing"}', 'mira', %(now)s - make_interval(hours => n * 50)
      FROM machine CROSS JOIN generate_series(1, 5) AS n
), rollout AS (
    INSERT INTO rollout (id, use_case, release, plan, state, wave, correlation, created_by, created, changed)
    SELECT 'motor-health-1-' || n, 'motor-health', 'motor-health/1', %(plan)s, 'aborted', 1, 'trace-1', 'mira',
           %(now)s - make_interval(days => 3 + n), %(now)s - make_interval(days => 2 + n)
      FROM generate_series(1, 30) AS n
    RETURNING id
), hit AS (
    INSERT INTO rollout_device (rollout, device, wave, state, sequence, previous, changed)
    SELECT rollout.id, device.id, 1, 'committed', 6, 'motor-health/1', %(now)s - interval '5 days'
      FROM rollout JOIN device ON device.id %% 5 = 1 AND enrolled IS NOT NULL AND retired IS NULL
), directive AS (
    INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
    SELECT device.id, 'motor-health', sequence, 'motor-health/' || sequence - 5, 'motor-health-' || sequence - 5 || '-a',
           'install', decode(repeat(md5(device.name), 20), 'hex'), %(now)s - make_interval(days => 9 - sequence)
      FROM device CROSS JOIN generate_series(6, 7) AS sequence WHERE enrolled IS NOT NULL AND retired IS NULL
), snapshot AS (
    INSERT INTO snapshot (use_case, state, error, correlation, asked_by, asked, finished)
    SELECT 'motor-health', 'failed', 'expected 10 rows, got 3', 'trace-s' || n, 'mira',
           %(now)s - make_interval(hours => n), %(now)s - make_interval(hours => n) FROM generate_series(1, 200) AS n
)
INSERT INTO gap (device, from_time, to_time, reason, noted)
SELECT id, %(now)s - make_interval(days => n), %(now)s - make_interval(days => n) + interval '1 hour', 'disk-full',
       %(now)s - make_interval(days => n) FROM device CROSS JOIN generate_series(1, 5) AS n WHERE id %% 5 = 2;

-- jobs
-- Attempts of months, most of them of upkeep; a queue in which hundreds wait.
WITH waiting AS (
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args, status, attempts)
    SELECT 'default', 'retrain', 0, 'retrain', jsonb_build_object('run', 'motor-health-r' || 1 + n %% 2), 'todo', 0
      FROM generate_series(1, 300) AS n
)
INSERT INTO job_attempt (job, attempt, task, queue, subject, worker, began, ended, outcome, reason)
SELECT 1000000 + n, 1, task, 'default', CASE task WHEN 'retrain' THEN 'motor-health-r1' ELSE '' END, 'hub:1',
       now() - make_interval(secs => 30 * n), now() - make_interval(secs => 30 * n - 2),
       CASE WHEN n %% 40 = 0 THEN 'failed' ELSE 'done' END, CASE WHEN n %% 40 = 0 THEN 'expected 3, got 2' ELSE '' END
  FROM generate_series(1, 10 * %(devices)s) AS n
 CROSS JOIN LATERAL (SELECT (ARRAY['maintain_store', 'look_at_triggers', 'refresh_timestamp', 'retrain'])[1 + n %% 4] AS task) AS told;

-- waveforms
INSERT INTO signal (machine, name, unit, kind, rate_hz)
SELECT id, 'vibration', 'm/s2', 'waveform', 25600 FROM machine;

-- captures
-- Short ones of every machine, and of one as many as are kept, as long as a second takes.
INSERT INTO capture (machine, signal, time, rate_hz, why, device, epoch, sequence, received, values)
SELECT machine.id, signal.id, at, rate_hz, (ARRAY['routine', 'alarm', 'asked'])[1 + n %% 3], device, 1, n, at,
       decode(repeat(md5(n::text), CASE machine.name WHEN 'pump-0003' THEN 6400 ELSE 64 END), 'hex')
  FROM machine JOIN signal ON signal.machine = machine.id AND signal.name = 'vibration'
 CROSS JOIN LATERAL generate_series(1, CASE machine.name WHEN 'pump-0003' THEN 300 ELSE 10 END) AS n
 CROSS JOIN LATERAL (SELECT %(now)s - make_interval(hours => n) AS at) AS told;

-- capture
SELECT (extract(epoch FROM time) * 1e6)::bigint AS number FROM capture
  JOIN machine ON machine.id = capture.machine AND machine.name = 'pump-0003' ORDER BY time DESC LIMIT 2;

-- chain
COPY audit (id, time, actor, action, subject, detail, correlation, previous, hash) FROM STDIN;

-- beat
-- What ingest does with each batch, as far as pages hear of it.
UPDATE device SET last_batch = (SELECT max(last_batch) FROM device) + interval '1 second' WHERE name = 'cell-00001';

-- live_batches
-- A second of a plant that lives: batches of a tenth of the devices that watch machines.
UPDATE device SET last_batch = last_batch + interval '1 second'
 WHERE id IN (SELECT device FROM machine) AND id %% 10 = %(turn)s %% 10;

-- live_predictions
-- And a prediction for each machine once a minute.
UPDATE latest_prediction SET time = time + interval '1 minute' WHERE machine %% 60 = %(turn)s %% 60;

-- rows
SELECT (SELECT count(*) FROM machine) AS machines, (SELECT count(*) FROM device) AS devices,
       (SELECT count(*) FROM sample) AS samples;
