-- What workers did, a row an attempt: the queue itself forgets a job that went well, and never knew why one did not.
-- All of it in real time, as everything about processes.
CREATE TABLE job_attempt (
    job        bigint NOT NULL,
    attempt    integer NOT NULL,                 -- from 1
    task       text NOT NULL,
    queue      text NOT NULL,
    subject    text NOT NULL,                    -- the run, release or use case that it is about; empty: none
    worker     text NOT NULL,                    -- its host and process
    began      timestamptz NOT NULL,
    ended      timestamptz,
    outcome    text CHECK (outcome IN ('done', 'failed', 'stopped', 'lost')),
    reason     text NOT NULL DEFAULT '',
    PRIMARY KEY (job, attempt),
    CHECK ((ended IS NULL) = (outcome IS NULL))
);
CREATE INDEX job_attempt_began ON job_attempt (began DESC);
CREATE INDEX job_attempt_of_task ON job_attempt (task, began DESC);
CREATE INDEX job_attempt_of_subject ON job_attempt (subject, began DESC) WHERE subject <> '';
CREATE INDEX job_attempt_open ON job_attempt (job) WHERE ended IS NULL;

-- Workers as they were last seen; the queue forgets them when they end.
CREATE TABLE job_worker (
    queue  text NOT NULL,
    name   text NOT NULL,                        -- its host and process
    began  timestamptz NOT NULL,
    seen   timestamptz NOT NULL,
    ended  timestamptz,                          -- in good order; null: it works, or fell silent
    PRIMARY KEY (queue, name)
);
