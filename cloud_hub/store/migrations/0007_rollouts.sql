-- Rollouts that wait for a person, an hour or a place; devices that come late, come back or stay as they are.

ALTER TABLE rollout DROP CONSTRAINT rollout_state_check;
ALTER TABLE rollout
    ADD CONSTRAINT rollout_state_check
        CHECK (state IN ('running', 'awaiting', 'paused', 'halted', 'aborted', 'undone', 'done')),
    ADD COLUMN approvals integer[] NOT NULL DEFAULT '{}',  -- waves that open only once a person has said so
    ADD COLUMN approved integer NOT NULL DEFAULT 0,        -- the newest of them that a person let open
    ADD COLUMN passed timestamptz,                         -- when the newest open wave had proved enough: the soak's start
    ADD COLUMN followed boolean NOT NULL DEFAULT true,     -- whether anything can still happen: the engine looks at it
    ADD COLUMN first_failure timestamptz,                  -- of what halted it, as the hub received it
    ADD COLUMN halted timestamptz;

-- A row changes a dozen times in a rollout, and none of these columns is indexed: room for the new versions.
ALTER TABLE rollout_device SET (fillfactor = 50);
ALTER TABLE rollout_device
    ADD COLUMN issued timestamptz,                         -- of its directive, as are these
    ADD COLUMN expires timestamptz,
    ADD COLUMN deadline timestamptz,                       -- without a final word by then it is silent
    ADD COLUMN fingerprint text,                           -- the key that the directive is for
    ADD COLUMN again boolean NOT NULL DEFAULT false;       -- offered a second time, for it was silent the first time

UPDATE rollout_device
   SET issued = directive.issued, expires = directive.issued + interval '7 days',
       deadline = directive.issued + make_interval(secs => 3600 * (rollout.plan ->> 'timeout_hours')::double precision)
  FROM rollout, directive
 WHERE rollout.id = rollout_device.rollout AND directive.device = rollout_device.device
   AND directive.use_case = rollout.use_case AND directive.sequence = rollout_device.sequence;

CREATE INDEX rollout_followed ON rollout (created) WHERE followed;

-- Devices that stay on what they run for a use case, whatever is rolled out.
CREATE TABLE pin (
    device    integer NOT NULL REFERENCES device,
    use_case  text NOT NULL,
    reason    text NOT NULL,
    pinned_by text NOT NULL,
    pinned    timestamptz NOT NULL,
    PRIMARY KEY (device, use_case)
);
