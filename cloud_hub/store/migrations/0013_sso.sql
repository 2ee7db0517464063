-- Who somebody is at a provider of single sign-on. Linked by hand, never made by signing in.
CREATE TABLE person_sso (
    issuer   text NOT NULL,
    subject  text NOT NULL,                    -- what the provider calls them for ever: the claim `sub`
    person   integer NOT NULL REFERENCES person,
    PRIMARY KEY (issuer, subject)
);
