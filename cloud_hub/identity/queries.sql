-- add_sites
INSERT INTO site (name, zone)
SELECT new.name, coalesce(new.zone, 'UTC')
FROM unnest(%(names)s::text[], %(zones)s::text[]) AS new (name, zone)
ON CONFLICT (name) DO NOTHING

-- sites
SELECT name, zone FROM site WHERE name = ANY (%(names)s)

-- add_devices
INSERT INTO device (name, site, profile, tags, added)
SELECT new.name, site.id, new.profile, new.tags, %(now)s
FROM jsonb_to_recordset(%(devices)s) AS new (name text, site text, profile text, tags text[])
JOIN site ON site.name = new.site
ON CONFLICT (name) DO NOTHING
RETURNING name

-- device
SELECT device.id, device.name, device.profile, device.retired, device.key_fingerprint,
       site.name AS site, site.zone
FROM device JOIN site ON site.id = device.site
WHERE device.name = %(name)s

-- forget_tokens
-- A device has one open token at most: a new one ends those before it.
DELETE FROM enrol_token USING device
WHERE device.id = enrol_token.device AND device.name = ANY (%(devices)s) AND redeemed IS NULL

-- add_tokens
INSERT INTO enrol_token (secret_sha256, device, created, expires)
SELECT new.secret_sha256, device.id, %(now)s, %(expires)s
FROM unnest(%(devices)s::text[], %(secrets)s::text[]) AS new (device, secret_sha256)
JOIN device ON device.name = new.device

-- token
SELECT token.device AS id, token.expires, token.redeemed,
       device.name, device.profile, device.retired, device.key_fingerprint, site.name AS site, site.zone
FROM enrol_token AS token
JOIN device ON device.id = token.device
JOIN site ON site.id = device.site
WHERE token.secret_sha256 = %(secret_sha256)s
FOR NO KEY UPDATE OF token, device

-- redeem_token
UPDATE enrol_token SET redeemed = %(now)s WHERE secret_sha256 = %(secret_sha256)s

-- enrol_device
UPDATE device SET key_fingerprint = %(key_fingerprint)s, enrolled = %(now)s WHERE id = %(id)s

-- holder
-- The device of a name, and what is on record of one certificate of it.
SELECT device.id, device.name, device.profile, device.retired, device.key_fingerprint,
       site.name AS site, site.zone, certificate.revoked, certificate.reason
FROM device
JOIN site ON site.id = device.site
LEFT JOIN certificate ON certificate.device = device.id AND certificate.serial = %(serial)s
WHERE device.name = %(name)s
FOR NO KEY UPDATE OF device

-- add_certificate
-- One that is on record stays as it is.
INSERT INTO certificate (serial, device, key_fingerprint, issued, expires)
VALUES (%(serial)s, %(device)s, %(key_fingerprint)s, %(issued)s, %(expires)s)
ON CONFLICT (serial) DO NOTHING

-- retire
UPDATE device SET retired = %(now)s, online = false WHERE name = %(name)s AND retired IS NULL RETURNING id

-- revoke
UPDATE certificate SET revoked = %(now)s, reason = %(reason)s
WHERE device = %(device)s AND revoked IS NULL AND key_fingerprint <> %(but_key)s

-- revoked
SELECT serial, revoked FROM certificate WHERE revoked IS NOT NULL ORDER BY serial

-- uncut
-- Whose sessions are to be ended, and the certificates they may rest on.
SELECT device.name, device.retired IS NOT NULL AS retired, array_agg(certificate.serial) AS serials
FROM certificate JOIN device ON device.id = certificate.device
WHERE certificate.revoked IS NOT NULL AND certificate.cut IS NULL
GROUP BY device.id ORDER BY device.name

-- uncut_of
SELECT FROM certificate JOIN device ON device.id = certificate.device
WHERE device.name = %(name)s AND certificate.revoked IS NOT NULL AND certificate.cut IS NULL
LIMIT 1

-- cut
UPDATE certificate SET cut = %(now)s WHERE serial = ANY (%(serials)s)
