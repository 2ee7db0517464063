-- The first schema. Times are timestamptz in UTC and come from the application's clock;
-- nothing here reads the wall clock. The tables declared PARTITION BY RANGE (time) are
-- partitioned natively; where TimescaleDB is there, the migration leaves those words out
-- and makes each a hypertable instead. An epoch is 64 bits without a sign on the wire and
-- the same 64 bits with a sign here.

CREATE TABLE site (
    id    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name  text NOT NULL UNIQUE,
    zone  text NOT NULL DEFAULT 'UTC'           -- IANA name
);

CREATE TABLE device (
    id               integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL UNIQUE,       -- the certificate's common name
    site             integer NOT NULL REFERENCES site,
    profile          text NOT NULL,
    tags             text[] NOT NULL DEFAULT '{}',
    key_fingerprint  text,                       -- SHA-256 of the public key, hex; null until enrolled
    added            timestamptz NOT NULL,
    enrolled         timestamptz,
    retired          timestamptz,
    online           boolean NOT NULL DEFAULT false,
    status_since     timestamptz,
    status_reason    text NOT NULL DEFAULT '',
    birth            jsonb,                      -- the last one, without its signal table
    born             timestamptz,
    agent_version    text,
    target           text,
    last_batch       timestamptz,                -- newest receive time
    skew_s           real,                       -- device time minus receive time of the last birth
    rejected         bigint NOT NULL DEFAULT 0   -- messages and series that were not stored
);

CREATE TABLE enrol_token (
    secret_sha256  text PRIMARY KEY,
    device         integer NOT NULL REFERENCES device,
    created        timestamptz NOT NULL,
    expires        timestamptz NOT NULL,
    redeemed       timestamptz
);

CREATE TABLE machine (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,
    device         integer NOT NULL REFERENCES device,
    machine_class  text NOT NULL,
    feature_set    text NOT NULL DEFAULT '',
    added          timestamptz NOT NULL
);

-- A changed unit or kind is a new signal.
CREATE TABLE signal (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine  integer NOT NULL REFERENCES machine,
    name     text NOT NULL,
    unit     text NOT NULL,
    kind     text NOT NULL,
    rate_hz  double precision NOT NULL DEFAULT 0,
    UNIQUE (machine, name, unit, kind)
);

-- Immutable, kept for ever. `signals` and `machines` are the hub's ids by local id; `widths` by local
-- machine, how many values its first feature row had, null or 0 until there was one.
CREATE TABLE signal_table (
    device    integer NOT NULL REFERENCES device,
    hash      bytea NOT NULL,
    body      jsonb NOT NULL,
    machines  integer[] NOT NULL,
    signals   integer[] NOT NULL,
    widths    integer[] NOT NULL DEFAULT '{}',
    seen      timestamptz NOT NULL,
    PRIMARY KEY (device, hash)
);

-- ---------------------------------------------------------------- the commit protocol

CREATE TABLE ledger (
    device    integer NOT NULL,
    epoch     bigint NOT NULL,
    sequence  bigint NOT NULL,
    hash      bytea NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('stored', 'quarantined')),
    received  timestamptz NOT NULL,
    PRIMARY KEY (device, epoch, sequence)
);

CREATE TABLE mark (
    device    integer NOT NULL REFERENCES device,
    epoch     bigint NOT NULL,
    mark      bigint NOT NULL DEFAULT 0,         -- every sequence up to it is settled
    floor     bigint NOT NULL DEFAULT 1,         -- highest floor the device has told
    opened    timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    resent    bigint NOT NULL DEFAULT 0,         -- batches that came again
    highest   bigint NOT NULL DEFAULT 0,         -- highest sequence that came
    superseded timestamptz,                      -- since a birth named another epoch as the current one
    PRIMARY KEY (device, epoch)
);

-- What could not be kept: sequences of an epoch, or a span of time of a device or machine.
CREATE TABLE gap (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device          integer NOT NULL REFERENCES device,
    machine         integer REFERENCES machine,
    epoch           bigint,
    first_sequence  bigint,
    last_sequence   bigint,
    from_time       timestamptz,
    to_time         timestamptz,
    reason          text NOT NULL,
    noted           timestamptz NOT NULL
);
CREATE INDEX gap_of_device ON gap (device, epoch, first_sequence);

CREATE TABLE quarantine (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device     integer REFERENCES device,
    topic      text NOT NULL,
    epoch      bigint,
    sequence   bigint,
    reason     text NOT NULL,                    -- the error's name, such as 'ColumnMismatch'
    detail     text NOT NULL,
    table_hash bytea,                            -- of the signal table it waits for
    payload    bytea NOT NULL,                   -- whole within the packet limit, else its head
    sha256     bytea NOT NULL,
    bytes      bigint NOT NULL,
    times      integer NOT NULL DEFAULT 1,       -- how often the same bytes came, where no ledger can tell
    received   timestamptz NOT NULL,
    replay     timestamptz,                      -- when someone asked to try again
    settled    timestamptz                       -- when it was stored after all
);
CREATE INDEX quarantine_of_device ON quarantine (device, received DESC);
CREATE INDEX quarantine_waiting ON quarantine (device, table_hash) WHERE settled IS NULL AND table_hash IS NOT NULL;
CREATE INDEX quarantine_replay ON quarantine (id) WHERE replay IS NOT NULL;
-- What never got a ledger row is kept once, however often the device sends it.
CREATE UNIQUE INDEX quarantine_again ON quarantine (topic, sha256, reason) WHERE sequence IS NULL;

-- ---------------------------------------------------------------- what devices say

CREATE TABLE sample (
    time    timestamptz NOT NULL,
    signal  integer NOT NULL,
    value   double precision NOT NULL
) PARTITION BY RANGE (time);

CREATE INDEX sample_time ON sample USING brin (time) WITH (pages_per_range = 32);

CREATE TABLE feature (
    time         timestamptz NOT NULL,
    machine      integer NOT NULL,
    device       integer NOT NULL,
    epoch        bigint NOT NULL,
    sequence     bigint NOT NULL,
    feature_set  text NOT NULL,
    values       real[] NOT NULL
) PARTITION BY RANGE (time);
CREATE INDEX feature_of_machine ON feature (machine, time);

CREATE TABLE prediction (
    time      timestamptz NOT NULL,
    machine   integer NOT NULL,
    device    integer NOT NULL,
    epoch     bigint NOT NULL,
    sequence  bigint NOT NULL,
    release   text NOT NULL,                     -- every prediction names its release
    values    real[] NOT NULL                    -- remaining life, lower, upper, anomaly: see the manifest
) PARTITION BY RANGE (time);
CREATE INDEX prediction_of_machine ON prediction (machine, time);

CREATE TABLE latest (
    signal  integer PRIMARY KEY,
    time    timestamptz NOT NULL,
    value   double precision NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE latest_prediction (
    machine  integer NOT NULL,
    use_case text NOT NULL,
    release  text NOT NULL,
    time     timestamptz NOT NULL,
    values   real[] NOT NULL,
    PRIMARY KEY (machine, use_case)
);

CREATE TABLE touched (
    signal  integer NOT NULL,
    hour    timestamptz NOT NULL,
    PRIMARY KEY (signal, hour)
);

CREATE TABLE alarm (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine   integer NOT NULL REFERENCES machine,
    use_case  text NOT NULL,
    release   text NOT NULL,
    opened    timestamptz NOT NULL,
    closed    timestamptz,
    severity  real NOT NULL,
    message   text NOT NULL,
    UNIQUE (machine, use_case, opened)
);
CREATE INDEX alarm_open ON alarm (machine) WHERE closed IS NULL;
CREATE INDEX alarm_opened ON alarm (opened DESC);

-- What is wrong with a device or the hub until it is closed: shown, and closed when it ends.
CREATE TABLE incident (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL,                      -- 'device-silent', 'two-devices-one-name'
    device   integer REFERENCES device,
    detail   text NOT NULL,
    opened   timestamptz NOT NULL,
    closed   timestamptz
);
CREATE UNIQUE INDEX incident_open ON incident (kind, device) WHERE closed IS NULL;

-- What people and maintenance systems say happened.
CREATE TABLE label (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine  integer NOT NULL REFERENCES machine,
    time     timestamptz NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('failure', 'maintenance', 'verdict')),
    detail   jsonb NOT NULL DEFAULT '{}',
    source   text NOT NULL,
    added    timestamptz NOT NULL,
    UNIQUE (machine, time, kind)
);

-- ---------------------------------------------------------------- models

CREATE TABLE dataset (
    id           text PRIMARY KEY,               -- "<use case>-<first 12 of the hash>"
    use_case     text NOT NULL,
    hash         text NOT NULL UNIQUE,           -- SHA-256 over contents, hex
    path         text NOT NULL,                  -- below the artifact root
    rows         bigint NOT NULL,
    machines     integer NOT NULL,
    lives        integer NOT NULL,
    feature_set  text NOT NULL,
    manifest     jsonb NOT NULL,
    created      timestamptz NOT NULL
);

CREATE TABLE run (
    id           text PRIMARY KEY,
    use_case     text NOT NULL,
    dataset      text REFERENCES dataset,
    state        text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    stage        text NOT NULL DEFAULT '',
    progress     real NOT NULL DEFAULT 0,
    error        text NOT NULL DEFAULT '',
    code         text NOT NULL DEFAULT '',       -- version of the code that trained
    settings     jsonb NOT NULL DEFAULT '{}',
    metrics      jsonb NOT NULL DEFAULT '{}',
    correlation  text NOT NULL,
    created      timestamptz NOT NULL,
    finished     timestamptz,
    job          bigint,
    attempt      integer NOT NULL DEFAULT 0
);

-- A version of a use case's model. It becomes a release when it is approved, bundled and signed.
CREATE TABLE model (
    use_case       text NOT NULL,
    version        integer NOT NULL,
    release        text NOT NULL UNIQUE,         -- "<use case>/<version>"
    run            text NOT NULL REFERENCES run,
    state          text NOT NULL CHECK (state IN ('candidate', 'refused', 'approved', 'released')),
    onnx_path      text NOT NULL,
    onnx_sha256    text NOT NULL,
    manifest       jsonb NOT NULL,
    gate           jsonb NOT NULL,               -- verdict with its evidence
    bundle_path    text,                         -- TUF target path
    bundle_sha256  text,
    bundle_bytes   bigint,
    created        timestamptz NOT NULL,
    released       timestamptz,
    PRIMARY KEY (use_case, version)
);

CREATE TABLE alias (
    use_case  text NOT NULL,
    name      text NOT NULL CHECK (name IN ('champion', 'candidate')),
    version   integer NOT NULL,
    PRIMARY KEY (use_case, name),
    FOREIGN KEY (use_case, version) REFERENCES model
);

CREATE TABLE approval (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    release   text NOT NULL REFERENCES model (release),
    person    text NOT NULL,
    override  text NOT NULL DEFAULT '',          -- why, where the gate had said no
    approved  timestamptz NOT NULL
);

-- ---------------------------------------------------------------- rollouts

CREATE TABLE rollout (
    id           text PRIMARY KEY,
    use_case     text NOT NULL,
    release      text NOT NULL REFERENCES model (release),
    plan         jsonb NOT NULL,
    state        text NOT NULL CHECK (state IN ('running', 'paused', 'halted', 'aborted', 'undone', 'done')),
    reason       text NOT NULL DEFAULT '',
    wave         integer NOT NULL DEFAULT 0,     -- the newest opened one, from 1
    correlation  text NOT NULL,
    created_by   text NOT NULL,
    created      timestamptz NOT NULL,
    changed      timestamptz NOT NULL
);

CREATE TABLE rollout_device (
    rollout   text NOT NULL REFERENCES rollout,
    device    integer NOT NULL REFERENCES device,
    wave      integer NOT NULL,
    state     text NOT NULL,                     -- waiting, offered, then what the device reports
    sequence  bigint,                            -- of the directive that offers it
    previous  text,                              -- the release to go back to; null: none
    reason    text NOT NULL DEFAULT '',
    changed   timestamptz NOT NULL,
    PRIMARY KEY (rollout, device)
);

CREATE TABLE directive (
    device    integer NOT NULL REFERENCES device,
    use_case  text NOT NULL,
    sequence  bigint NOT NULL,
    release   text NOT NULL,
    rollout   text NOT NULL,
    mode      text NOT NULL,
    signed    bytea NOT NULL,                    -- a SignedDirective, as published
    issued    timestamptz NOT NULL,
    PRIMARY KEY (device, use_case, sequence)
);

CREATE TABLE report (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device              integer NOT NULL REFERENCES device,
    use_case            text NOT NULL,
    directive_sequence  bigint NOT NULL,
    state               text NOT NULL,
    event               text NOT NULL,
    reason              text NOT NULL,
    release             text NOT NULL,
    rollout             text NOT NULL,
    correlation         text NOT NULL,
    evidence            jsonb NOT NULL,
    time                timestamptz NOT NULL,
    received            timestamptz NOT NULL
);
CREATE INDEX report_of_directive ON report (use_case, directive_sequence, device);
CREATE INDEX report_of_device ON report (device, time DESC);

-- What each device runs, from its births and reports.
CREATE TABLE device_release (
    device             integer NOT NULL REFERENCES device,
    use_case           text NOT NULL,
    release            text NOT NULL,
    accepted_sequence  bigint NOT NULL,
    state              text NOT NULL,
    changed            timestamptz NOT NULL,
    PRIMARY KEY (device, use_case)
);

-- ---------------------------------------------------------------- governance

CREATE TABLE audit (
    id           bigint PRIMARY KEY,             -- without holes
    time         timestamptz NOT NULL,
    actor        text NOT NULL,
    action       text NOT NULL,
    subject      text NOT NULL,
    detail       jsonb NOT NULL,
    correlation  text NOT NULL DEFAULT '',
    previous     bytea NOT NULL,
    hash         bytea NOT NULL UNIQUE           -- SHA-256 over previous and the row
);

-- ---------------------------------------------------------------- the store itself

-- What this database can do, as found when it was last migrated.
CREATE TABLE capability (
    name     text PRIMARY KEY,
    value    text NOT NULL,
    detail   text NOT NULL DEFAULT '',
    checked  timestamptz NOT NULL
);
