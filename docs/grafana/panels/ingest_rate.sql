-- Samples a second that were stored of each hour, at most of the last week of the span: every signal has a row an hour.
-- The hour that runs is not told yet; Prometheus tells of now.
SELECT time, sum(count) / 3600.0 AS "samples a second"
  FROM rollup_hour
 WHERE $__timeFilter(time) AND time > $__timeTo()::timestamptz - interval '7 days'
 GROUP BY time
 ORDER BY time;
