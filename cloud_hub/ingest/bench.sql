-- make_reference
CREATE TABLE reference (LIKE sample INCLUDING ALL) PARTITION BY RANGE (time);

-- partitions
SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bounds
  FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
 WHERE pg_inherits.inhparent = 'sample'::regclass;

-- make_partition
CREATE TABLE reference_{name} PARTITION OF reference {bounds};

-- clear
TRUNCATE {table};

-- write_rows
COPY (SELECT time, signal, value FROM sample) TO '{file}' (FORMAT BINARY);

-- copy_reference
COPY reference (time, signal, value) FROM '{file}' (FORMAT BINARY);

-- stored
SELECT count(*) AS samples, coalesce(sum(round(value * %(scale)s)::bigint), 0)::bigint AS total FROM sample;

-- refused
SELECT reason, sum(times)::bigint AS count FROM quarantine GROUP BY reason;

-- block
LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE;
