-- Every certificate that the hub signed for a device, written in the transaction that enrolled or renewed it.
-- All of it in real time, as everything about TLS. Revocation ends trust for good; an expired certificate is
-- refused by the broker, and may be renewed by the hub.

CREATE TABLE certificate (
    serial           text PRIMARY KEY,           -- hex, without leading zeros
    device           integer NOT NULL REFERENCES device,
    key_fingerprint  text NOT NULL,              -- SHA-256 of the public key, hex
    issued           timestamptz NOT NULL,
    expires          timestamptz NOT NULL,
    revoked          timestamptz,
    reason           text NOT NULL DEFAULT '',   -- why it was revoked
    cut              timestamptz                 -- when the broker refused it and the session it had was ended
);
CREATE INDEX certificate_of_device ON certificate (device);
CREATE INDEX certificate_uncut ON certificate (device) WHERE revoked IS NOT NULL AND cut IS NULL;
