-- devices
SELECT device.name, site.name AS site, site.zone, profile, tags, added, enrolled, retired, online, status_since,
       status_reason, born, agent_version, target, last_batch, last_live, skew_s, rejected,
       coalesce((SELECT array_agg(machine.name ORDER BY machine.name) FROM machine WHERE machine.device = device.id),
                '{}') AS machines,
       (SELECT coalesce(sum(mark.resent), 0)::bigint FROM mark WHERE mark.device = device.id) AS resent,
       (SELECT coalesce(sum(mark.backlog), 0)::bigint FROM mark WHERE mark.device = device.id) AS backlog,
       (SELECT count(*) FROM gap WHERE gap.device = device.id) AS gaps,
       (SELECT count(*) FROM quarantine WHERE quarantine.device = device.id AND settled IS NULL) AS quarantined,
       coalesce((SELECT jsonb_agg(jsonb_build_object(
                        'use_case', use_case, 'release', release, 'state', state,
                        'accepted_sequence', accepted_sequence) ORDER BY use_case)
                   FROM device_release WHERE device_release.device = device.id), '[]') AS releases,
       coalesce((SELECT jsonb_object_agg(use_case, reason) FROM pin WHERE pin.device = device.id), '{}') AS pins,
       (SELECT max(expires) FROM certificate
         WHERE certificate.device = device.id AND certificate.revoked IS NULL) AS certificate_ends
  FROM device JOIN site ON site.id = device.site
 WHERE (%(name)s::text IS NULL OR device.name = %(name)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY device.name;

-- machines
-- The soonest end of the interval first: what needs someone before anything else does.
WITH figure AS MATERIALIZED (SELECT * FROM release_figure)
SELECT machine.name, device.name AS device, site.name AS site, machine.machine_class, machine.feature_set,
       device.online, device.last_batch,
       coalesce(soonest.use_case, '') AS use_case, coalesce(soonest.release, '') AS release,
       soonest.time AS predicted, soonest.remaining_life, soonest.lower, soonest.upper, soonest.anomaly,
       soonest.faults, soonest.chances,
       (SELECT count(*) FROM alarm WHERE alarm.machine = machine.id AND closed IS NULL) AS open_alarms
  FROM machine
  JOIN device ON device.id = machine.device
  JOIN site ON site.id = device.site
  LEFT JOIN (
       SELECT DISTINCT ON (latest.machine) latest.machine, latest.use_case, latest.release, latest.time,
              values[figure.life] AS remaining_life, values[figure.lower] AS lower, values[figure.upper] AS upper,
              values[figure.anomaly] AS anomaly, figure.faults,
              ARRAY(SELECT values[place] FROM unnest(figure.fault_places) AS place) AS chances
         FROM latest_prediction latest LEFT JOIN figure USING (release)
        WHERE %(name)s::text IS NULL OR latest.machine = (SELECT m.id FROM machine m WHERE m.name = %(name)s)
        ORDER BY latest.machine, coalesce(values[figure.lower], values[figure.life]) NULLS LAST,
                 values[figure.anomaly] DESC NULLS LAST) AS soonest ON soonest.machine = machine.id
 WHERE (%(name)s::text IS NULL OR machine.name = %(name)s)
   AND (device.retired IS NULL OR machine.name = %(name)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY coalesce(soonest.lower, soonest.remaining_life) NULLS LAST, soonest.anomaly DESC NULLS LAST, machine.name;

-- signals
SELECT signal.id, signal.name, signal.unit, signal.kind, signal.rate_hz, latest.time, latest.value
  FROM signal
  JOIN machine ON machine.id = signal.machine
  LEFT JOIN latest ON latest.signal = signal.id
 WHERE machine.name = %(machine)s
 ORDER BY signal.id;

-- latest_predictions
SELECT latest.use_case, latest.release, latest.time, values[figure.life] AS remaining_life,
       values[figure.lower] AS lower, values[figure.upper] AS upper, values[figure.anomaly] AS anomaly,
       figure.faults, ARRAY(SELECT values[place] FROM unnest(figure.fault_places) AS place) AS chances
  FROM latest_prediction latest
  JOIN machine ON machine.id = latest.machine
  LEFT JOIN release_figure figure USING (release)
 WHERE machine.name = %(machine)s
 ORDER BY latest.use_case;

-- alarms
SELECT alarm.id, machine.name AS machine, device.name AS device, alarm.use_case, alarm.release, alarm.opened,
       alarm.closed, alarm.severity, alarm.message
  FROM alarm
  JOIN machine ON machine.id = alarm.machine
  JOIN device ON device.id = machine.device
 WHERE (%(machine)s::text IS NULL OR machine.name = %(machine)s)
   AND (%(device)s::text IS NULL OR device.name = %(device)s)
   AND (NOT %(open_only)s OR alarm.closed IS NULL)
 ORDER BY alarm.opened DESC
 LIMIT %(most)s;

-- labels
SELECT label.time, label.kind, label.detail, label.source
  FROM label JOIN machine ON machine.id = label.machine
 WHERE machine.name = %(machine)s
 ORDER BY label.time;

-- gaps
-- What could not be kept of a machine or of its whole device, newest first.
SELECT gap.reason, gap.from_time, gap.to_time, gap.epoch, gap.first_sequence, gap.last_sequence, gap.noted,
       device.name AS device, machine.name AS machine
  FROM gap
  JOIN device ON device.id = gap.device
  LEFT JOIN machine ON machine.id = gap.machine
 WHERE (%(device)s::text IS NULL OR device.name = %(device)s)
   AND (%(machine)s::text IS NULL OR machine.name = %(machine)s
        OR (gap.machine IS NULL AND gap.device = (SELECT m.device FROM machine AS m WHERE m.name = %(machine)s)))
 ORDER BY gap.noted DESC, gap.id DESC
 LIMIT %(size)s OFFSET %(offset)s;

-- incidents
SELECT incident.kind, device.name AS device, incident.detail, incident.opened, incident.closed
  FROM incident
  LEFT JOIN device ON device.id = incident.device
  LEFT JOIN site ON site.id = device.site
 WHERE (NOT %(open_only)s OR incident.closed IS NULL)
   AND (%(device)s::text IS NULL OR device.name = %(device)s)
   AND (%(sites)s::text[] IS NULL OR site.name = ANY (%(sites)s))
 ORDER BY incident.opened DESC
 LIMIT %(most)s;

-- events
-- What happened in the fleet, newest first: alarms, update reports, incidents. The newest of each come by an index.
WITH seen AS (
    SELECT device.id FROM device JOIN site ON site.id = device.site WHERE site.name = ANY (%(sites)s)
)
(SELECT alarm.opened AS time, 'alarm' AS kind, machine.name AS subject, alarm.message AS text, alarm.release
   FROM alarm JOIN machine ON machine.id = alarm.machine
  WHERE (%(since)s::timestamptz IS NULL OR alarm.opened > %(since)s)
    AND (%(sites)s::text[] IS NULL OR machine.device IN (SELECT id FROM seen))
  ORDER BY alarm.opened DESC LIMIT %(most)s)
UNION ALL
(SELECT alarm.closed, 'alarm-closed', machine.name, alarm.message, alarm.release
   FROM alarm JOIN machine ON machine.id = alarm.machine
  WHERE alarm.closed IS NOT NULL AND (%(since)s::timestamptz IS NULL OR alarm.closed > %(since)s)
    AND (%(sites)s::text[] IS NULL OR machine.device IN (SELECT id FROM seen))
  ORDER BY alarm.closed DESC LIMIT %(most)s)
UNION ALL
(SELECT report.time, 'report', device.name, concat_ws(': ', report.event, nullif(report.reason, '')), report.release
   FROM report JOIN device ON device.id = report.device
  WHERE (%(since)s::timestamptz IS NULL OR report.time > %(since)s)
    AND (%(sites)s::text[] IS NULL OR report.device IN (SELECT id FROM seen))
  ORDER BY report.time DESC LIMIT %(most)s)
UNION ALL
(SELECT incident.opened, 'incident', coalesce(device.name, 'hub'), incident.detail, ''
   FROM incident LEFT JOIN device ON device.id = incident.device
  WHERE (%(since)s::timestamptz IS NULL OR incident.opened > %(since)s)
    AND (%(sites)s::text[] IS NULL OR incident.device IN (SELECT id FROM seen))
  ORDER BY incident.opened DESC LIMIT %(most)s)
 ORDER BY time DESC
 LIMIT %(most)s;
