-- newest
-- The newest prediction of a use case for a machine, or that of one release.
SELECT p.time, p.release, p.values, m.feature_set
  FROM prediction p JOIN machine m ON m.id = p.machine
 WHERE m.name = %(machine)s AND p.release LIKE %(like)s
 ORDER BY p.time DESC LIMIT 1;

-- rows
-- What the machine's feature rows said up to a moment, oldest first; the newest %(most)s of them.
SELECT * FROM (
    SELECT DISTINCT ON (f.time) f.time, f.values
      FROM feature f JOIN machine m ON m.id = f.machine
     WHERE m.name = %(machine)s AND f.feature_set = %(feature_set)s AND f.time <= %(time)s
     ORDER BY f.time DESC, f.device, f.epoch, f.sequence LIMIT %(most)s) AS newest
 ORDER BY time;

-- table
-- The signal table in which the machine was last born.
SELECT t.body, array_position(t.machines, m.id) - 1 AS place
  FROM machine m JOIN signal_table t ON t.device = m.device AND m.id = ANY (t.machines)
 WHERE m.name = %(machine)s
 ORDER BY t.seen DESC LIMIT 1;
