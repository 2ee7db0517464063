-- Rollups: a minute and an hour of a signal in a row each, made of its samples by a job (store/rollups.py).
-- They outlive the samples they were made of. The covering indexes are what charts read: the rows of one
-- signal lie far apart in the table, and close together there.

CREATE TABLE rollup_minute (
    time    timestamptz NOT NULL,                -- where the minute starts
    signal  integer NOT NULL,
    count   bigint NOT NULL,
    low     double precision NOT NULL,
    high    double precision NOT NULL,
    sum     double precision NOT NULL
) PARTITION BY RANGE (time);
CREATE UNIQUE INDEX rollup_minute_of_signal ON rollup_minute (signal, time) INCLUDE (low, high);

CREATE TABLE rollup_hour (
    time    timestamptz NOT NULL,                -- where the hour starts
    signal  integer NOT NULL,
    count   bigint NOT NULL,
    low     double precision NOT NULL,
    high    double precision NOT NULL,
    sum     double precision NOT NULL
) PARTITION BY RANGE (time);
CREATE UNIQUE INDEX rollup_hour_of_signal ON rollup_hour (signal, time) INCLUDE (low, high);

-- What rollups do not show yet: of `signal`, the samples from `earliest` (null: from `hour`) to the end of
-- `hour`. A writer only ever adds rows, in the transaction of the samples, without a look at what is there: it
-- waits for nobody, and whoever sees its row sees its samples. The job takes rows out in the transaction that
-- makes the rollups: a row that it did not see stays.
ALTER TABLE touched DROP CONSTRAINT touched_pkey;
ALTER TABLE touched ADD COLUMN earliest timestamptz;
CREATE INDEX touched_of_signal ON touched (signal, hour);
ALTER TABLE touched SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000
);

-- A batch brings the samples of a signal in one stretch, so a few pages hold few signals: with both columns in
-- small ranges, BRIN alone leads to one signal's newest samples past most of the others.
DROP INDEX sample_time;
CREATE INDEX sample_time ON sample USING brin (time, signal) WITH (pages_per_range = 4);
