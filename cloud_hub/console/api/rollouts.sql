-- rollouts
SELECT r.id, r.use_case, r.release, r.state, r.reason, r.wave, r.plan, r.correlation, r.created_by, r.created,
       r.changed, r.first_failure, r.halted, r.approvals,
       extract(epoch FROM r.halted - r.first_failure)::double precision AS seconds_to_halt,
       CASE WHEN r.state = 'awaiting' THEN r.wave + 1 END AS awaiting,
       counted.waves, counted.devices, counted.states
  FROM (SELECT rollout.* FROM rollout
         WHERE (%(use_case)s = '' OR rollout.use_case = %(use_case)s)
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

-- devices
-- Where devices stand, those that failed first, and the last thing each reported about its directive.
SELECT rd.name AS device, rd.site, rd.wave, rd.state, rd.reason, rd.sequence, i.mode, rd.issued, rd.previous, rd.changed,
       runs.release AS running, said.state AS reported, said.event, said.reason AS said, said.evidence,
       said.time AS reported_at
  FROM (SELECT rd.*, d.name, s.name AS site, r.use_case, rd.state = ANY (%(failures)s::text[]) AS failing
          FROM rollout_device rd
          JOIN rollout r ON r.id = rd.rollout
          JOIN device d ON d.id = rd.device
          JOIN site s ON s.id = d.site
         WHERE rd.rollout = %(rollout)s
           AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
           AND (%(state)s = '' OR rd.state = %(state)s)
           AND (%(text)s = '' OR position(lower(%(text)s) IN lower(d.name)) > 0)
         ORDER BY failing DESC, rd.wave, d.name
         LIMIT %(size)s OFFSET %(offset)s) rd
  LEFT JOIN directive i ON i.device = rd.device AND i.use_case = rd.use_case AND i.sequence = rd.sequence
  LEFT JOIN device_release runs ON runs.device = rd.device AND runs.use_case = rd.use_case
  LEFT JOIN LATERAL (SELECT p.state, p.event, p.reason, p.evidence, p.time FROM report p
                      WHERE p.device = rd.device AND p.use_case = rd.use_case
                        AND p.directive_sequence = rd.sequence
                      ORDER BY p.time DESC, p.id DESC LIMIT 1) said ON true
 ORDER BY rd.failing DESC, rd.wave, rd.name;
