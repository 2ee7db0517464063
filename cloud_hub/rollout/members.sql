-- counts
-- Devices of a rollout that match, by wave and state.
SELECT rd.wave, rd.state, count(*)::integer AS devices
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  JOIN site s ON s.id = d.site
 WHERE rd.rollout = %(rollout)s
   AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
   AND (%(site)s::text = '' OR s.name = %(site)s)
   AND (%(wave)s::integer IS NULL OR rd.wave = %(wave)s)
   AND (%(text)s::text = '' OR position(lower(%(text)s) IN lower(d.name)) > 0
        OR position(lower(%(text)s) IN lower(rd.reason)) > 0)
 GROUP BY rd.wave, rd.state;

-- page
-- A page of them, those that failed first, with the last thing that each reported about its directive.
SELECT rd.name AS device, rd.site, rd.zone, rd.wave, rd.state, rd.reason, rd.sequence, i.mode, rd.issued,
       rd.deadline, rd.previous, rd.changed, runs.release AS running, said.state AS reported, said.event, said.reason AS said,
       said.evidence, said.time AS reported_at
  FROM (SELECT rd.*, d.name, s.name AS site, s.zone, r.use_case, rd.state = ANY (%(failures)s::text[]) AS failing
          FROM rollout_device rd
          JOIN rollout r ON r.id = rd.rollout
          JOIN device d ON d.id = rd.device
          JOIN site s ON s.id = d.site
         WHERE rd.rollout = %(rollout)s
           AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
           AND (%(site)s::text = '' OR s.name = %(site)s)
           AND (%(wave)s::integer IS NULL OR rd.wave = %(wave)s)
           AND (%(state)s::text = '' OR rd.state = %(state)s)
           AND (%(text)s::text = '' OR position(lower(%(text)s) IN lower(d.name)) > 0
                OR position(lower(%(text)s) IN lower(rd.reason)) > 0)
         ORDER BY failing DESC, rd.wave, d.name
         LIMIT %(size)s OFFSET %(offset)s) rd
  LEFT JOIN directive i ON i.device = rd.device AND i.use_case = rd.use_case AND i.sequence = rd.sequence
  LEFT JOIN device_release runs ON runs.device = rd.device AND runs.use_case = rd.use_case
  LEFT JOIN LATERAL (SELECT p.state, p.event, p.reason, p.evidence, p.time FROM report p
                      WHERE p.device = rd.device AND p.use_case = rd.use_case
                        AND p.directive_sequence = rd.sequence
                      ORDER BY p.time DESC, p.id DESC LIMIT 1) said ON true
 ORDER BY rd.failing DESC, rd.wave, rd.name;

-- sites
-- Where the devices of a rollout are.
SELECT DISTINCT s.name, s.zone
  FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
 WHERE rd.rollout = %(rollout)s AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 ORDER BY s.name;

-- waiting_zones
-- The zones in which devices of open waves wait, each with how many.
SELECT s.zone, count(*)::integer AS devices
  FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
 WHERE rd.rollout = %(rollout)s AND rd.state = 'waiting' AND rd.wave <= %(wave)s
   AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 GROUP BY s.zone ORDER BY s.zone;

-- failures
-- How devices failed: in each wave, those that ended the same way and said the same, with a few of their names.
SELECT rd.wave, rd.state, rd.reason, count(*)::integer AS devices, (array_agg(d.name ORDER BY d.name))[1:5] AS names
  FROM rollout_device rd
  JOIN device d ON d.id = rd.device
  JOIN site s ON s.id = d.site
 WHERE rd.rollout = %(rollout)s AND rd.state = ANY (%(failures)s::text[])
   AND (%(sites)s::text[] IS NULL OR s.name = ANY (%(sites)s))
 GROUP BY rd.wave, rd.state, rd.reason
 ORDER BY rd.wave, devices DESC, rd.state, rd.reason
 LIMIT %(most)s;

-- way_back
-- What an undo would do to those that were offered the release: the release each goes back to, and who stays as it
-- is: one that had none (or whose files are gone), is pinned, is retired, or that a later rollout directs since.
WITH offered AS (
    SELECT CASE WHEN d.retired IS NOT NULL OR d.key_fingerprint IS NULL OR p.device IS NOT NULL
                     OR newest.rollout IS DISTINCT FROM rd.rollout THEN NULL
                ELSE m.release END AS previous
      FROM rollout_device rd
      JOIN rollout r ON r.id = rd.rollout
      JOIN device d ON d.id = rd.device
      LEFT JOIN pin p ON p.device = rd.device AND p.use_case = r.use_case
      LEFT JOIN model m ON m.release = rd.previous AND m.state = 'released'
      LEFT JOIN LATERAL (SELECT i.rollout FROM directive i
                          WHERE i.device = rd.device AND i.use_case = r.use_case
                          ORDER BY i.sequence DESC LIMIT 1) newest ON true
     WHERE rd.rollout = %(rollout)s AND rd.sequence IS NOT NULL
)
SELECT previous, count(*)::integer AS devices FROM offered GROUP BY previous ORDER BY devices DESC, previous;

-- unsettled
-- Who still waits for the release, and who is at it.
SELECT (count(*) FILTER (WHERE state = 'waiting'))::integer AS waiting,
       (count(*) FILTER (WHERE state <> 'waiting' AND state <> ALL (%(settled)s::text[])))::integer AS under_way,
       (count(*) FILTER (WHERE state = 'committed'))::integer AS committed
  FROM rollout_device WHERE rollout = %(rollout)s;

-- list
-- A page of rollouts, those that go on first, then the newest; each with where its devices stand.
WITH page AS (
    SELECT r.* FROM rollout r
     WHERE (%(use_case)s::text = '' OR r.use_case = %(use_case)s)
       AND (%(state)s::text = '' OR r.state = %(state)s)
       AND (%(text)s::text = '' OR position(lower(%(text)s) IN lower(concat_ws(' ', r.id, r.reason, r.created_by))) > 0)
       AND (%(sites)s::text[] IS NULL
            OR EXISTS (SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
                        WHERE rd.rollout = r.id AND s.name = ANY (%(sites)s)))
     ORDER BY array_position(ARRAY ['running', 'awaiting', 'paused'], r.state) IS NULL, r.created DESC, r.id DESC
     LIMIT %(size)s OFFSET %(offset)s
)
SELECT r.id, r.use_case, r.release, r.state, r.reason, r.wave, r.created_by, r.created, counted.waves, counted.devices,
       counted.states
  FROM page r
 CROSS JOIN LATERAL (
       SELECT coalesce(max(waves), 0) AS waves, coalesce(sum(devices), 0)::integer AS devices,
              coalesce(jsonb_object_agg(state, devices), '{}') AS states
         FROM (SELECT state, max(wave) AS waves, count(*) AS devices FROM rollout_device rd
                WHERE rd.rollout = r.id GROUP BY state) by_state) counted
 ORDER BY array_position(ARRAY ['running', 'awaiting', 'paused'], r.state) IS NULL, r.created DESC, r.id DESC;

-- list_counts
-- How many rollouts match, by state; and the use cases there are.
SELECT r.use_case, r.state, count(*)::integer AS rollouts FROM rollout r
 WHERE (%(text)s::text = '' OR position(lower(%(text)s) IN lower(concat_ws(' ', r.id, r.reason, r.created_by))) > 0)
   AND (%(sites)s::text[] IS NULL
        OR EXISTS (SELECT FROM rollout_device rd JOIN device d ON d.id = rd.device JOIN site s ON s.id = d.site
                    WHERE rd.rollout = r.id AND s.name = ANY (%(sites)s)))
 GROUP BY r.use_case, r.state ORDER BY r.use_case;
