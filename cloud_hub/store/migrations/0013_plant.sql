-- What pages over a large plant read: names by prefix, the newest of what happened, and how each device stands.

CREATE INDEX machine_by_prefix ON machine (lower(name) text_pattern_ops);
CREATE INDEX device_by_prefix ON device (lower(name) text_pattern_ops);
CREATE INDEX device_of_site ON device (site);
CREATE INDEX machine_of_device ON machine (device);
CREATE INDEX report_time ON report (time DESC);
CREATE INDEX alarm_closed ON alarm (closed DESC) WHERE closed IS NOT NULL;
CREATE INDEX incident_opened ON incident (opened DESC);

-- Behind: what it sends now was written while it could not send.
CREATE VIEW device_standing AS
SELECT id AS device,
       CASE WHEN retired IS NOT NULL THEN 'retired'
            WHEN enrolled IS NULL THEN 'not enrolled'
            WHEN NOT online THEN 'offline'
            WHEN last_batch - last_live > interval '2 minutes' THEN 'behind'
            ELSE 'online' END AS state
  FROM device;
