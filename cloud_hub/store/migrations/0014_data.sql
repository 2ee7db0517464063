-- Datasets that somebody asked for, and what the pages about data look through.

-- A dataset to be made: a job works it off, and its outcome stays, a refusal with its reason. One at a time for
-- each use case: a form that is sent twice asks for one dataset.
CREATE TABLE snapshot (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case     text NOT NULL,
    since        timestamptz,                    -- older rows are left out
    state        text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
    dataset      text REFERENCES dataset,
    error        text NOT NULL DEFAULT '',
    correlation  text NOT NULL,
    asked_by     text NOT NULL,
    asked        timestamptz NOT NULL,
    finished     timestamptz,
    attempt      integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX snapshot_open ON snapshot (use_case) WHERE state IN ('queued', 'running');

-- Quarantine counted without its payloads: by sender and reason in the order of an index, and newest first.
CREATE INDEX quarantine_waits ON quarantine (device, reason) INCLUDE (times, received) WHERE settled IS NULL;
CREATE INDEX quarantine_newest ON quarantine (id) INCLUDE (reason, device, received) WHERE settled IS NULL;

-- What was lost lately.
CREATE INDEX gap_noted ON gap (noted);
