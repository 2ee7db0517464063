-- message
SELECT device, topic, reason, payload, bytes, settled FROM quarantine WHERE id = %(id)s;

-- table
SELECT body FROM signal_table WHERE device = %(device)s AND hash = %(hash)s;
