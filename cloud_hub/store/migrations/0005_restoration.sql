-- Each time this database came out of a backup: what was stored after the backup was made is gone, and names
-- that were given since must not be given again.

CREATE TABLE restoration (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    newest    timestamptz,                       -- the newest batch the backup knew
    restored  timestamptz NOT NULL
);
