-- How far behind a device is: when a batch last came as it was written, and how many came from a backlog.
ALTER TABLE device ADD COLUMN last_live timestamptz;            -- newest receive time of a batch that was no backlog
ALTER TABLE mark ADD COLUMN backlog bigint NOT NULL DEFAULT 0;  -- batches that came as backlog

-- What the keeper looks for: kept long enough, waiting or settled.
CREATE INDEX quarantine_received ON quarantine (received);
