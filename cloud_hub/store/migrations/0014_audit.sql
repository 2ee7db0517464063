-- The chain is read by whoever did something, what was done, to what, in which trace, and when.
CREATE INDEX audit_of_actor ON audit (actor, id);
CREATE INDEX audit_of_action ON audit (action, id);
CREATE INDEX audit_of_subject ON audit (subject text_pattern_ops, id);
CREATE INDEX audit_of_correlation ON audit (correlation, id) WHERE correlation <> '';
CREATE INDEX audit_time ON audit (time);
CREATE INDEX run_of_correlation ON run (correlation);
CREATE INDEX rollout_of_correlation ON rollout (correlation);
