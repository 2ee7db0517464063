-- rollouts
SELECT r.id, r.use_case, r.release, r.state, r.reason, r.wave, r.plan, r.correlation, r.created_by, r.created,
       r.changed, r.first_failure, r.halted, r.approvals, r.passed,
       extract(epoch FROM r.halted - r.first_failure)::double precision AS seconds_to_halt,
       CASE WHEN r.state = 'awaiting' THEN r.wave + 1 END AS awaiting,
       counted.waves, counted.devices, counted.states
  FROM rollout r
 CROSS JOIN LATERAL (
       SELECT coalesce(max(waves), 0) AS waves, coalesce(sum(devices), 0)::integer AS devices,
              coalesce(jsonb_object_agg(state, devices), '{}') AS states
         FROM (SELECT state, max(wave) AS waves, count(*) AS devices FROM rollout_device rd
                WHERE rd.rollout = r.id GROUP BY state) by_state) counted
 WHERE (%(rollout)s::text IS NULL OR r.id = %(rollout)s)
   AND (%(sites)s::text[] IS NULL
        OR EXISTS (SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
                    WHERE rd.rollout = r.id AND s.name = ANY (%(sites)s)))
 ORDER BY r.created DESC, r.id DESC
 LIMIT %(most)s;

-- groups
SELECT wave, state, count(*)::integer AS devices,
       (count(*) FILTER (WHERE sequence IS NOT NULL))::integer AS offered
  FROM rollout_device WHERE rollout = %(rollout)s GROUP BY wave, state;

-- sent_back
-- Of those that an undo sends back: how many are not there yet, and how many did not come back well.
SELECT count(*) FILTER (WHERE rd.state <> ALL (%(settled)s::text[]) AND rd.sequence IS NOT NULL) AS open,
       count(*) FILTER (WHERE rd.state <> 'committed' AND rd.state = ANY (%(settled)s::text[])
                          AND i.mode = 'undo') AS failed
  FROM rollout_device rd
  JOIN rollout r ON r.id = rd.rollout
  LEFT JOIN directive i ON i.device = rd.device AND i.use_case = r.use_case AND i.sequence = rd.sequence
 WHERE rd.rollout = %(rollout)s;

-- devices
-- Where devices stand, those that failed first, and the last thing each reported about its directive.
SELECT rd.name AS device, rd.wave, rd.state, rd.reason, rd.sequence, i.mode, rd.issued, rd.previous, rd.changed,
       runs.release AS running, said.state AS reported, said.event, said.reason AS said, said.evidence,
       said.time AS reported_at
  FROM (SELECT rd.*, d.name, r.use_case, rd.state = ANY (%(failures)s::text[]) AS failing
          FROM rollout_device rd
          JOIN rollout r ON r.id = rd.rollout
          JOIN device d ON d.id = rd.device
          JOIN site s ON s.id = d.site
         WHERE rd.rollout = %(rollout)s
           AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
         ORDER BY failing DESC, rd.wave, d.name
         LIMIT %(most)s) rd
  LEFT JOIN directive i ON i.device = rd.device AND i.use_case = rd.use_case AND i.sequence = rd.sequence
  LEFT JOIN device_release runs ON runs.device = rd.device AND runs.use_case = rd.use_case
  LEFT JOIN LATERAL (SELECT p.state, p.event, p.reason, p.evidence, p.time FROM report p
                      WHERE p.device = rd.device AND p.use_case = rd.use_case
                        AND p.directive_sequence = rd.sequence
                      ORDER BY p.time DESC, p.id DESC LIMIT 1) said ON true
 ORDER BY rd.failing DESC, rd.wave, rd.name;

-- history
-- Who or what decided, and why.
SELECT time, actor, action, detail FROM audit WHERE subject = %(rollout)s ORDER BY id;

-- reports
-- The update journal of a device, newest first.
SELECT r.time, r.use_case, r.release, r.state, r.event, r.reason, r.rollout, r.directive_sequence, r.evidence
  FROM report r JOIN device d ON d.id = r.device
 WHERE d.name = %(device)s
 ORDER BY r.time DESC, r.id DESC
 LIMIT %(most)s;

-- rejections
-- What was not stored of a device's messages, by reason.
SELECT q.reason, count(*) AS count, count(*) FILTER (WHERE q.settled IS NULL) AS waiting,
       max(q.received) AS last, (array_agg(q.detail ORDER BY q.received DESC))[1] AS detail
  FROM quarantine q JOIN device d ON d.id = q.device
 WHERE d.name = %(device)s
 GROUP BY q.reason
 ORDER BY q.reason;
