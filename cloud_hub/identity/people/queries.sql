-- lock
-- One change of who may do what at a time: the last admin stays, and no name means two people.
SELECT pg_advisory_xact_lock(hashtext('andon.people'));

-- people
SELECT person.id, person.name, person.password_hash IS NOT NULL AS has_password, person.added, person.disabled,
       coalesce((SELECT array_agg(role || coalesce('@' || site.name, '') ORDER BY site.name NULLS FIRST, role)
                   FROM person_role LEFT JOIN site ON site.id = person_role.site
                  WHERE person_role.person = person.id), '{}') AS grants,
       coalesce((SELECT array_agg(account ORDER BY account) FROM person_terminal
                  WHERE person_terminal.person = person.id), '{}') AS terminals,
       (SELECT max(seen) FROM person_session WHERE person_session.person = person.id) AS seen
  FROM person
 WHERE %(name)s::text IS NULL OR person.name = %(name)s
 ORDER BY person.name;

-- credentials
SELECT id, name, password_hash, disabled FROM person WHERE name = %(name)s;

-- add
INSERT INTO person (name, added, added_by) VALUES (%(name)s, %(now)s, %(by)s) ON CONFLICT DO NOTHING RETURNING id;

-- admins
-- People who can still let others in.
SELECT person.name FROM person JOIN person_role ON person_role.person = person.id
 WHERE person.disabled IS NULL AND role = 'admin' AND site IS NULL;

-- sites
SELECT name FROM site ORDER BY name;

-- site
SELECT id FROM site WHERE name = %(name)s;

-- give
INSERT INTO person_role (person, site, role) VALUES (%(person)s, %(site)s, %(role)s) ON CONFLICT DO NOTHING;

-- take
DELETE FROM person_role WHERE person = %(person)s AND role = %(role)s AND site IS NOT DISTINCT FROM %(site)s::integer;

-- turn
UPDATE person_session SET stale = true WHERE person = %(person)s;

-- set_disabled
UPDATE person SET disabled = %(disabled)s WHERE id = %(person)s;

-- set_password
UPDATE person SET password_hash = %(hash)s WHERE id = %(person)s;

-- replace_password
-- Only of what was checked: one that was set meanwhile stays.
UPDATE person SET password_hash = %(hash)s WHERE id = %(person)s AND password_hash = %(checked)s;

-- terminal_of
SELECT person.name FROM person_terminal JOIN person ON person.id = person_terminal.person
 WHERE account = %(account)s;

-- add_terminal
INSERT INTO person_terminal (account, person) VALUES (%(account)s, %(person)s);

-- drop_terminal
DELETE FROM person_terminal WHERE account = %(account)s AND person = %(person)s;

-- forget_links
-- Of a purpose and person there is one open link at most.
DELETE FROM person_link
 WHERE purpose = %(purpose)s AND person IS NOT DISTINCT FROM %(person)s::integer AND used IS NULL;

-- add_link
INSERT INTO person_link (secret_sha256, purpose, person, terminal, created, expires)
VALUES (%(secret_sha256)s, %(purpose)s, %(person)s, %(terminal)s, %(now)s, %(expires)s);

-- link
SELECT purpose, person_link.person, person.name, person.disabled, terminal, expires, used
  FROM person_link LEFT JOIN person ON person.id = person_link.person
 WHERE secret_sha256 = %(secret_sha256)s
   FOR UPDATE OF person_link;

-- drop_links
DELETE FROM person_link WHERE person = %(person)s AND used IS NULL;

-- use_link
UPDATE person_link SET used = %(now)s WHERE secret_sha256 = %(secret_sha256)s;

-- open_session
-- Who was disabled, or whose password is another than was checked, since then gets none; a change waits for this.
INSERT INTO person_session (secret_sha256, person, opened, seen, kept)
SELECT %(secret_sha256)s, id, %(now)s, %(now)s, %(kept)s FROM person
 WHERE id = %(person)s AND disabled IS NULL
   AND (%(checked)s::text IS NULL OR password_hash = %(checked)s)
   FOR SHARE;

-- session
SELECT person_session.id, person.name, person_session.opened, person_session.seen, stale, kept,
       coalesce((SELECT array_agg(role || coalesce('@' || site.name, ''))
                   FROM person_role LEFT JOIN site ON site.id = person_role.site
                  WHERE person_role.person = person.id), '{}') AS grants
  FROM person_session JOIN person ON person.id = person_session.person
 WHERE secret_sha256 = %(secret_sha256)s AND person.disabled IS NULL
   AND person_session.opened > %(oldest)s AND person_session.seen > %(idle_since)s;

-- see_session
UPDATE person_session SET seen = %(now)s WHERE id = %(id)s;

-- take_kept
UPDATE person_session SET kept = NULL WHERE id = %(id)s;

-- turn_session
UPDATE person_session SET secret_sha256 = %(fresh)s, stale = false
 WHERE id = %(id)s AND secret_sha256 = %(secret_sha256)s;

-- end_session
DELETE FROM person_session WHERE secret_sha256 = %(secret_sha256)s;

-- end_sessions
DELETE FROM person_session USING person WHERE person.id = person_session.person AND person.name = %(name)s;

-- forget_sessions
DELETE FROM person_session WHERE opened <= %(oldest)s OR seen <= %(idle_since)s;

-- add_token
INSERT INTO api_token (person, name, secret_sha256, scopes, created, expires)
VALUES (%(person)s, %(name)s, %(secret_sha256)s, %(scopes)s, %(now)s, %(expires)s)
ON CONFLICT DO NOTHING RETURNING id;

-- token
SELECT api_token.id, person.name, api_token.scopes, api_token.seen,
       coalesce((SELECT array_agg(role || coalesce('@' || site.name, ''))
                   FROM person_role LEFT JOIN site ON site.id = person_role.site
                  WHERE person_role.person = person.id), '{}') AS grants
  FROM api_token JOIN person ON person.id = api_token.person
 WHERE secret_sha256 = %(secret_sha256)s AND revoked IS NULL AND expires > %(now)s AND person.disabled IS NULL;

-- see_token
UPDATE api_token SET seen = %(now)s WHERE id = %(id)s;

-- tokens
SELECT api_token.name, scopes, created, expires, seen, revoked
  FROM api_token JOIN person ON person.id = api_token.person
 WHERE person.name = %(person)s
 ORDER BY revoked IS NOT NULL, created DESC;

-- revoke_token
UPDATE api_token SET revoked = %(now)s FROM person
 WHERE person.id = api_token.person AND person.name = %(person)s AND api_token.name = %(name)s AND revoked IS NULL;

-- revoke_tokens
UPDATE api_token SET revoked = %(now)s WHERE person = %(person)s AND revoked IS NULL;

-- sso
SELECT person.id, person.name FROM person_sso JOIN person ON person.id = person_sso.person
 WHERE issuer = %(issuer)s AND subject = %(subject)s AND person.disabled IS NULL;

-- add_sso
INSERT INTO person_sso (issuer, subject, person) VALUES (%(issuer)s, %(subject)s, %(person)s)
ON CONFLICT DO NOTHING RETURNING subject;

-- drop_sso
DELETE FROM person_sso WHERE issuer = %(issuer)s AND subject = %(subject)s AND person = %(person)s;
