-- What waits on a device for the hub. The file is the agent's alone; user_version tells its layout.

CREATE TABLE epoch (
    number  INTEGER PRIMARY KEY,           -- the order in which they were opened
    epoch   BLOB NOT NULL UNIQUE,          -- the random 64 bits, big-endian
    next    INTEGER NOT NULL DEFAULT 1,    -- the sequence that is given out next
    mark    INTEGER NOT NULL DEFAULT 0     -- the hub's commit mark, as far as it was heard
);

CREATE TABLE batch (
    number    INTEGER NOT NULL REFERENCES epoch,
    sequence  INTEGER NOT NULL,
    class     INTEGER NOT NULL,            -- 0 is the most precious
    from_us   INTEGER NOT NULL,            -- the span of time it covers
    to_us     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,            -- what it counts against the budget
    payload   BLOB NOT NULL
);
CREATE UNIQUE INDEX batch_by_age ON batch (number, sequence);
CREATE INDEX batch_by_worth ON batch (class, number, sequence);

-- Batches that had to go and that no gap event has told of yet.
CREATE TABLE loss (
    id              INTEGER PRIMARY KEY,
    epoch           BLOB NOT NULL,
    first_sequence  INTEGER NOT NULL,
    last_sequence   INTEGER NOT NULL,
    from_us         INTEGER NOT NULL,
    to_us           INTEGER NOT NULL
);

-- How far each source was read.
CREATE TABLE position (
    source    TEXT PRIMARY KEY,
    position  INTEGER NOT NULL
);

-- What the pipeline remembers: features, open alarms, counters.
CREATE TABLE state (
    name   TEXT PRIMARY KEY,
    value  BLOB NOT NULL
);
