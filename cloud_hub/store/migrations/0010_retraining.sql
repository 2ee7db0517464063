-- What the triggers of a use case found when they were looked at: every time that they started a training,
-- and the newest time that they did not.
CREATE TABLE trigger_check (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case  text NOT NULL,
    checked   timestamptz NOT NULL,
    release   text,                              -- the champion that it is about
    reasons   text[] NOT NULL DEFAULT '{}',      -- why to train again, a sentence each
    drift_since timestamptz,                     -- when drift from that release was first seen, if it lasts
    held      text NOT NULL DEFAULT '',          -- why nothing was started all the same
    figures   jsonb NOT NULL DEFAULT '{}',       -- of drift
    run       text REFERENCES run
);
CREATE INDEX trigger_check_newest ON trigger_check (use_case, checked DESC);
