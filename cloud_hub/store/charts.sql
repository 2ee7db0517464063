-- signal_id
SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine
 WHERE machine.name = %(machine)s AND signal.name = %(signal)s
 ORDER BY signal.id DESC LIMIT 1;

-- samples
SELECT time, value AS low, value AS high FROM sample
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
 ORDER BY time LIMIT %(most)s;

-- sample_buckets
SELECT date_bin(%(width)s, time, %(start)s) AS time, min(value) AS low, max(value) AS high FROM sample
 WHERE signal = %(signal)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1 ORDER BY 1;

-- predictions
SELECT time, release, values[1] AS remaining_life, values[2] AS lower, values[3] AS upper, values[4] AS anomaly
  FROM prediction
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND release LIKE %(releases)s AND time >= %(start)s AND time < %(end)s
 ORDER BY time LIMIT %(most)s;

-- prediction_buckets
SELECT date_bin(%(width)s, time, %(start)s) AS time, max(release) AS release, avg(values[1]) AS remaining_life,
       min(values[2]) AS lower, max(values[3]) AS upper, max(values[4]) AS anomaly
  FROM prediction
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND release LIKE %(releases)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1 ORDER BY 1;

-- features
SELECT time, values[%(column)s] AS low, values[%(column)s] AS high FROM feature
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND feature_set = %(feature_set)s AND time >= %(start)s AND time < %(end)s
 ORDER BY time LIMIT %(most)s;

-- feature_buckets
SELECT date_bin(%(width)s, time, %(start)s) AS time, min(values[%(column)s]) AS low, max(values[%(column)s]) AS high
  FROM feature
 WHERE machine = (SELECT id FROM machine WHERE name = %(machine)s)
   AND feature_set = %(feature_set)s AND time >= %(start)s AND time < %(end)s
 GROUP BY 1 ORDER BY 1;
