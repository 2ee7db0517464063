-- People at the console: who they are, what they may do where, and how they prove it. Secrets are kept as hashes
-- alone, and all of it is in real time, as everything about trust.

CREATE TABLE person (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE,       -- for ever: the audit chain names people by it
    password_hash  text,                       -- argon2id, with its parameters; null until one was chosen
    added          timestamptz NOT NULL,
    added_by       text NOT NULL,
    disabled       timestamptz
);

CREATE TABLE person_role (
    person  integer NOT NULL REFERENCES person,
    site    integer REFERENCES site,           -- null: every site, also those to come
    role    text NOT NULL CHECK (role IN ('viewer', 'engineer', 'operator', 'approver', 'admin')),
    UNIQUE NULLS NOT DISTINCT (person, site, role)
);

-- Accounts of the hub's operating system that a person acts by at its terminal.
CREATE TABLE person_terminal (
    account  text PRIMARY KEY,
    person   integer NOT NULL REFERENCES person
);

-- What lets somebody in once who has no password yet.
CREATE TABLE person_link (
    secret_sha256  text PRIMARY KEY,
    purpose        text NOT NULL CHECK (purpose IN ('first-admin', 'password', 'sign-in')),
    person         integer REFERENCES person,  -- null: who comes makes the first admin
    terminal       text,                       -- the account that asked for a first admin
    created        timestamptz NOT NULL,
    expires        timestamptz NOT NULL,
    used           timestamptz
);

CREATE TABLE person_session (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    secret_sha256  text NOT NULL UNIQUE,
    person         integer NOT NULL REFERENCES person,
    opened         timestamptz NOT NULL,
    seen           timestamptz NOT NULL,
    stale          boolean NOT NULL DEFAULT false,  -- what its person may do has changed: it gets another secret
    kept           jsonb                            -- a form that was typed when an earlier session had ended
);
CREATE INDEX person_session_of ON person_session (person);

CREATE TABLE api_token (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person         integer NOT NULL REFERENCES person,
    name           text NOT NULL,
    secret_sha256  text NOT NULL UNIQUE,
    scopes         text[] NOT NULL,            -- permissions, of those that its person has
    created        timestamptz NOT NULL,
    expires        timestamptz NOT NULL,
    seen           timestamptz,
    revoked        timestamptz,
    UNIQUE (person, name)
);

-- Whose voice an actor's is: the person of a terminal's account, else the actor. Four eyes compare voices.
CREATE FUNCTION voice(actor text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT person.name FROM person_terminal JOIN person ON person.id = person_terminal.person
                      WHERE person_terminal.account = actor), actor)
$$;

-- Whether, although there are people, nobody knows whose voice an actor's is: an account that is linked to none of
-- them. Policies and jobs ("policy:retrain") are nobody, and known to be.
CREATE FUNCTION is_nobodys(actor text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT actor <> '' AND strpos(actor, ':') = 0 AND EXISTS (SELECT FROM person)
           AND NOT EXISTS (SELECT FROM person WHERE person.name = voice(actor))
$$;
