-- tables
SELECT signal_table.device, signal_table.hash, body, machines, signals, widths
  FROM signal_table
  JOIN unnest(%(devices)s::integer[], %(hashes)s::bytea[]) AS wanted (device, hash) USING (device, hash);

-- learn_width
UPDATE signal_table SET widths[%(at)s] = %(width)s
 WHERE device = %(device)s AND hash = %(hash)s AND coalesce(widths[%(at)s], 0) = 0;

-- releases
SELECT release FROM model WHERE release = ANY (%(names)s);
