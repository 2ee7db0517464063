-- rollouts
-- A page of rollouts, newest first, or one by name; an empty use case and no state mean any.
SELECT r.id, r.use_case, r.release, r.state, r.reason, r.wave, r.plan, r.correlation, r.created_by, r.created,
       r.changed, r.first_failure, r.halted, r.approvals, r.passed,
       extract(epoch FROM r.halted - r.first_failure)::double precision AS seconds_to_halt,
       CASE WHEN r.state = 'awaiting' THEN r.wave + 1 END AS awaiting,
       counted.waves, counted.devices, counted.states
  FROM (SELECT rollout.* FROM rollout
         WHERE (%(rollout)s::text IS NULL OR rollout.id = %(rollout)s)
           AND (%(use_case)s = '' OR rollout.use_case = %(use_case)s)
           AND (%(state)s::text IS NULL OR rollout.state = %(state)s)
           AND (%(sites)s::text[] IS NULL
                OR EXISTS (SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
                            WHERE rd.rollout = rollout.id AND s.name = ANY (%(sites)s)))
         ORDER BY rollout.created DESC, rollout.id DESC
         LIMIT %(size)s OFFSET %(offset)s) r
 CROSS JOIN LATERAL (
       SELECT coalesce(max(waves), 0) AS waves, coalesce(sum(devices), 0)::integer AS devices,
              coalesce(jsonb_object_agg(state, devices), '{}') AS states
         FROM (SELECT state, max(wave) AS waves, count(*) AS devices FROM rollout_device rd
                WHERE rd.rollout = r.id GROUP BY state) by_state) counted
 ORDER BY r.created DESC, r.id DESC;

-- ids
-- The same rollouts, without a look at their devices.
SELECT rollout.id FROM rollout
 WHERE (%(rollout)s::text IS NULL OR rollout.id = %(rollout)s)
   AND (%(use_case)s = '' OR rollout.use_case = %(use_case)s)
   AND (%(state)s::text IS NULL OR rollout.state = %(state)s)
   AND (%(sites)s::text[] IS NULL
        OR EXISTS (SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
                    WHERE rd.rollout = rollout.id AND s.name = ANY (%(sites)s)))
 LIMIT %(size)s OFFSET %(offset)s;

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

-- history
-- Who or what decided, and why.
SELECT time, actor, action, detail FROM audit WHERE subject = %(rollout)s ORDER BY id;

-- reports
-- The update journal of a device, newest first.
SELECT r.time, r.use_case, r.release, r.state, r.event, r.reason, r.rollout, r.directive_sequence, r.evidence
  FROM report r JOIN device d ON d.id = r.device
 WHERE d.name = %(device)s
 ORDER BY r.time DESC, r.id DESC
 LIMIT %(size)s OFFSET %(offset)s;

-- rejections
-- What was not stored of a device's messages, by reason.
SELECT q.reason, count(*) AS count, count(*) FILTER (WHERE q.settled IS NULL) AS waiting,
       max(q.received) AS last, (array_agg(q.detail ORDER BY q.received DESC))[1] AS detail
  FROM quarantine q JOIN device d ON d.id = q.device
 WHERE d.name = %(device)s
 GROUP BY q.reason
 ORDER BY q.reason;
