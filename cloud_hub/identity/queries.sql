-- add_site
INSERT INTO site (name, zone) VALUES (%(name)s, %(zone)s)
ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id, zone

-- site
SELECT id, zone FROM site WHERE name = %(name)s

-- add_device
INSERT INTO device (name, site, profile, tags, added)
VALUES (%(name)s, %(site)s, %(profile)s, %(tags)s, %(now)s)
ON CONFLICT (name) DO NOTHING
RETURNING id

-- device
SELECT device.id, device.name, device.profile, device.retired, device.key_fingerprint,
       site.name AS site, site.zone
FROM device JOIN site ON site.id = device.site
WHERE device.name = %(name)s

-- forget_tokens
-- A device has one open token at most: a new one ends those before it.
DELETE FROM enrol_token WHERE device = %(device)s AND redeemed IS NULL

-- add_token
INSERT INTO enrol_token (secret_sha256, device, created, expires)
VALUES (%(secret_sha256)s, %(device)s, %(now)s, %(expires)s)

-- token
SELECT token.device AS id, token.expires, token.redeemed,
       device.name, device.profile, device.retired, device.key_fingerprint, site.name AS site
FROM enrol_token AS token
JOIN device ON device.id = token.device
JOIN site ON site.id = device.site
WHERE token.secret_sha256 = %(secret_sha256)s
FOR UPDATE OF token

-- redeem_token
UPDATE enrol_token SET redeemed = %(now)s WHERE secret_sha256 = %(secret_sha256)s

-- enrol_device
UPDATE device SET key_fingerprint = %(key_fingerprint)s, enrolled = %(now)s WHERE id = %(id)s
