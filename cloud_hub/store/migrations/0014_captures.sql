-- Captures: the raw window of one waveform signal, as its device kept it. Those of one machine and time belong
-- together. The bytes of vibration hardly get fewer by compressing, which only costs time.
CREATE TABLE capture (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine   integer NOT NULL REFERENCES machine,
    signal    integer NOT NULL REFERENCES signal,
    time      timestamptz NOT NULL,              -- of the first value, by the device's clock
    rate_hz   double precision NOT NULL,
    why       text NOT NULL CHECK (why IN ('alarm', 'asked', 'routine')),
    device    integer NOT NULL,
    epoch     bigint NOT NULL,
    sequence  bigint NOT NULL,
    received  timestamptz NOT NULL,
    values    bytea NOT NULL                     -- float32, little-endian, in the signal's unit
);
ALTER TABLE capture ALTER COLUMN values SET STORAGE EXTERNAL;
CREATE INDEX capture_of_machine ON capture (machine, time DESC);
CREATE INDEX capture_by_why ON capture (machine, why, time DESC);
CREATE INDEX capture_time ON capture (time);

-- What somebody asked a machine's device for last. It is said again at each birth until it is answered or a day old.
CREATE TABLE capture_request (
    machine   integer PRIMARY KEY REFERENCES machine,
    id        text NOT NULL,                     -- of the command
    asked     timestamptz NOT NULL,
    asked_by  text NOT NULL,
    answered  timestamptz
);
CREATE INDEX capture_request_asked ON capture_request (asked);
