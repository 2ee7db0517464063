-- Before which moment the rows of a hypertable have been dropped: what was made of them must not be made again.
CREATE TABLE dropped (
    table_name  text PRIMARY KEY,
    before      timestamptz NOT NULL
);
