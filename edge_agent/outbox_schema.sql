-- What waits on a device for the hub. The file is the agent's alone; user_version tells its layout.

CREATE TABLE IF NOT EXISTS epoch (
    number  INTEGER PRIMARY KEY,           -- the order in which they were opened
    epoch   BLOB NOT NULL UNIQUE,          -- the random 64 bits, big-endian
    next    INTEGER NOT NULL DEFAULT 1,    -- the sequence that is given out next
    mark    INTEGER NOT NULL DEFAULT 0     -- the hub's commit mark, as far as it was heard;
                                           -- -1: not heard of yet, -2: no birth has told it of this epoch
);

-- The table's own order is the order of age, so that a commit appends and keeps nothing else sorted.
CREATE TABLE IF NOT EXISTS batch (
    id       INTEGER PRIMARY KEY,          -- (the epoch's number << 40) + sequence
    class    INTEGER NOT NULL,             -- 0 is the most precious
    from_us  INTEGER NOT NULL,             -- the span of time it covers
    to_us    INTEGER NOT NULL,
    payload  BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS batch_alarm ON batch (class) WHERE class = 0;

-- Batches that had to go and that no gap event has told of yet.
CREATE TABLE IF NOT EXISTS loss (
    id              INTEGER PRIMARY KEY,
    epoch           BLOB NOT NULL,
    first_sequence  INTEGER NOT NULL,
    last_sequence   INTEGER NOT NULL,
    from_us         INTEGER NOT NULL,
    to_us           INTEGER NOT NULL,
    reason          TEXT NOT NULL DEFAULT 'disk-full'
);

-- How far each source was read.
CREATE TABLE IF NOT EXISTS position (
    source    TEXT PRIMARY KEY,
    position  INTEGER NOT NULL
);

-- What the pipeline remembers: features, open alarms, counters.
CREATE TABLE IF NOT EXISTS state (
    name   TEXT PRIMARY KEY,
    value  BLOB NOT NULL
);
