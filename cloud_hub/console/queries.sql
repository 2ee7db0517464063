-- pulse
-- Cheap marks of what pages show; a mark that differs from a second ago means: look again. What grows with the plant's
-- history is told by the end of an index; one of devices and one of newest predictions is read whole.
SELECT (SELECT concat_ws('|', max(last_batch), max(status_since), max(born), sum(rejected), count(*)) FROM device)
       || (SELECT concat_ws('|', '', max(time), count(*)) FROM latest_prediction)
       || (SELECT concat_ws('|', '', max(id)) FROM alarm)
       || (SELECT concat_ws('|', '', count(*)) FROM alarm WHERE closed IS NULL) AS fleet,
       (SELECT concat_ws('|', max(changed), count(*)) FROM rollout)
       || (SELECT concat_ws('|', '', max(changed)) FROM rollout_device)
       || (SELECT concat_ws('|', '', max(id)) FROM report)
       || (SELECT concat_ws('|', '', max(changed)) FROM device_release) AS rollouts,
       (SELECT concat_ws('|', max(created), max(released), string_agg(state, '' ORDER BY created)) FROM model)
       || (SELECT concat_ws('|', '', max(created), max(finished), sum(progress), string_agg(stage, ''))
             FROM run WHERE state IN ('queued', 'running') OR finished IS NOT NULL)
       || (SELECT concat_ws('|', '', string_agg(use_case || name || version, ',')) FROM alias)
       || (SELECT concat_ws('|', '', max(id)) FROM approval) || (SELECT concat_ws('|', '', count(*)) FROM refusal)
       || (SELECT concat_ws('|', '', max(id)) FROM trigger_check) AS models,
       (SELECT concat_ws('|', max(id)) FROM alarm)
       || (SELECT concat_ws('|', '', count(*)) FROM alarm WHERE closed IS NULL)
       || (SELECT concat_ws('|', '', max(id)) FROM label) AS alarms,
       (SELECT concat_ws('|', max(created), count(*)) FROM dataset)
       || (SELECT concat_ws('|', '', max(id), max(finished), count(*) FILTER (WHERE state = 'running')) FROM snapshot)
       || (SELECT concat_ws('|', '', max(received)) FROM quarantine)
       || (SELECT concat_ws('|', '', count(*), max(replay)) FROM quarantine WHERE replay IS NOT NULL)
       || (SELECT concat_ws('|', '', max(id)) FROM gap) AS data,
       (SELECT concat_ws('|', max(began), max(ended), count(ended))
          FROM (SELECT began, ended FROM job_attempt ORDER BY began DESC LIMIT 20) AS newest)
       || (SELECT concat_ws('|', '', max(id), sum(id), count(*) FILTER (WHERE status = 'doing'))
             FROM procrastinate_jobs WHERE status IN ('todo', 'doing')) AS jobs,
       (SELECT max(id) FROM audit) AS audit,
       (SELECT concat_ws('|', max(id)) FROM capture)
       || (SELECT concat_ws('|', '', max(asked), max(answered)) FROM capture_request) AS captures;

-- figures
SELECT (SELECT count(*) FROM device WHERE retired IS NULL) AS devices,
       (SELECT count(*) FROM device WHERE retired IS NULL AND online) AS devices_online,
       (SELECT count(*) FROM machine m JOIN device d ON d.id = m.device WHERE d.retired IS NULL) AS machines,
       (SELECT count(*) FROM alarm WHERE closed IS NULL) AS alarms_open,
       (SELECT count(*) FROM incident WHERE closed IS NULL) AS incidents_open,
       (SELECT count(*) FROM quarantine WHERE settled IS NULL) AS quarantined,
       (SELECT coalesce(sum(rejected), 0)::bigint FROM device) AS rejected,
       (SELECT count(*) FROM rollout WHERE state = 'running') AS rollouts_running;

-- releases
-- What figures of each release mean: units, and where its alarm begins.
SELECT release, use_case, manifest -> 'outputs' AS outputs, manifest -> 'alarms' AS alarms FROM model;

-- epochs
-- Outboxes of a device: how far each is settled.
SELECT mark.epoch, mark.mark, mark.highest, mark.floor, mark.resent, mark.opened, mark.last_seen,
       greatest(mark.highest - mark.mark, 0) AS unsettled
  FROM mark JOIN device ON device.id = mark.device
 WHERE device.name = %(device)s
 ORDER BY mark.last_seen DESC LIMIT 20;

-- aliases
SELECT use_case, name, version FROM alias;

-- release_rollouts
SELECT id, state, created FROM rollout
 WHERE release = %(release)s
   AND (%(sites)s::text[] IS NULL
        OR EXISTS (SELECT FROM rollout_device JOIN device ON device.id = rollout_device.device
                     JOIN site ON site.id = device.site
                    WHERE rollout_device.rollout = rollout.id AND site.name = ANY (%(sites)s)))
 ORDER BY created DESC;

-- sites_of_machine
SELECT ARRAY [site.name] AS sites FROM machine
  JOIN device ON device.id = machine.device JOIN site ON site.id = device.site
 WHERE machine.name = %(name)s;

-- sites_of_device
SELECT ARRAY [site.name] AS sites FROM device JOIN site ON site.id = device.site WHERE device.name = %(name)s;

-- sites_of_rollout
SELECT ARRAY (SELECT DISTINCT site.name FROM rollout_device
                JOIN device ON device.id = rollout_device.device JOIN site ON site.id = device.site
               WHERE rollout_device.rollout = rollout.id) AS sites
  FROM rollout WHERE rollout.id = %(name)s;

-- devices_at
SELECT device.name FROM device JOIN site ON site.id = device.site
 WHERE device.name = ANY (%(names)s) AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY device.name;

-- machines_at
SELECT machine.name FROM machine
  JOIN device ON device.id = machine.device JOIN site ON site.id = device.site
 WHERE machine.name = ANY (%(names)s) AND site.name = ANY (%(sites)s)
 ORDER BY machine.name;
