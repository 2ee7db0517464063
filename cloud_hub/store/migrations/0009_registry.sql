-- Models whose files were removed to make room: the rows stay, and say since when the files are gone.

ALTER TABLE model DROP CONSTRAINT model_state_check;
ALTER TABLE model
    ADD CONSTRAINT model_state_check
        CHECK (state IN ('candidate', 'refused', 'approved', 'released', 'removed')),
    ADD COLUMN removed timestamptz;

-- The same for datasets, by where they lay: one that is made again takes its row out.
CREATE TABLE dataset_removed (
    dataset  text PRIMARY KEY REFERENCES dataset,
    removed  timestamptz NOT NULL
);
