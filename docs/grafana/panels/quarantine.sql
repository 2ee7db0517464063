-- What could not be stored and still waits, by reason.
SELECT reason, count(*) AS messages, sum(times)::bigint AS "times it came", sum(bytes)::bigint AS bytes,
       count(DISTINCT device) AS devices, max(received) AS newest
  FROM quarantine
 WHERE settled IS NULL
 GROUP BY reason
 ORDER BY messages DESC, reason
 LIMIT 50;
