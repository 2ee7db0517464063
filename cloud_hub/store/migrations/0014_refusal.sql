-- A person's no to a model, for good: beside state 'refused', which the gate's no leads to as well.
CREATE TABLE refusal (
    release  text PRIMARY KEY REFERENCES model (release),
    person   text NOT NULL,
    reason   text NOT NULL,
    refused  timestamptz NOT NULL
);
