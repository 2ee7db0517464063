"""Certifying a device's key: once against its token, from then on against the certificate it has.

What is signed is on record in the same transaction. Name, site and everything else
come from the token or the certificate and from the database, never from the
request: all a request adds is a key and the proof of holding it.

Revocation, not expiry, ends trust. A device that was off for a year may renew a
certificate that ended, for the same key and while it is in service; the broker
refuses it until it has.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from cloud_hub.errors import TrustError
from cloud_hub.identity import revoking, tokens
from cloud_hub.identity.ca import (
    DEVICE_LIFETIME,
    Authority,
    certified_key,
    key_fingerprint,
    requested_key,
    serial,
)
from cloud_hub.identity.tokens import QUERIES, Holder, Token
from cloud_hub.store.database import Connection, Database, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    device: Holder
    certificate: bytes  # PEM


def enrol(
    database: Database,
    authority: Authority,
    *,
    token: Token,
    csr: bytes,
    now: datetime,
    lifetime: timedelta = DEVICE_LIFETIME,
) -> Certified:
    """Redeem ``token`` and certify the key in ``csr``, both or neither; ``now`` is the hub's clock.

    Certificates of keys that the device had before are revoked.
    """
    fingerprint = key_fingerprint(requested_key(csr))
    with database.transaction() as connection:
        device = tokens.redeem(connection, token, key_fingerprint=fingerprint, now=datetime.now(UTC))
        connection.execute(
            QUERIES["enrol_device"], {"id": device.id, "key_fingerprint": fingerprint, "now": now}
        )
        revoking.revoke(connection, device.id, reason="enrolled anew", but_key=fingerprint)
        return _certify(connection, authority, device, csr, lifetime)


def renew(
    database: Database,
    authority: Authority,
    *,
    certificate: bytes,
    csr: bytes,
    lifetime: timedelta = DEVICE_LIFETIME,
) -> Certified:
    """A new certificate for the key of ``certificate``, whose holder signed ``csr``.

    ``TrustError`` where it is of another authority, revoked, of a device that is unknown or retired, or where
    certificate and request are not both of the key on record.
    """
    presented = authority.recognise(certificate)
    requested = key_fingerprint(requested_key(csr))
    with database.transaction() as connection:
        row = _row(connection, presented)
        for what, key in (
            ("a certificate", key_fingerprint(certified_key(presented))),
            ("a request", requested),
        ):
            if key != row["key_fingerprint"]:
                raise TrustError(
                    f"expected {what} of the key that {row['name']!r} enrolled with, got another"
                )
        device = Holder.of(row)
        _put_on_record(connection, device, presented)
        return _certify(connection, authority, device, csr, lifetime)


def _row(connection: Connection, presented: x509.Certificate) -> Row:
    """The device that ``presented`` names, in service, its row locked against retirement.

    That a certificate of ours is not on record is no reason to refuse it: a hub that was restored from a
    backup has forgotten what it signed since, and nobody else signs.
    """
    (name,) = presented.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    row = connection.execute(QUERIES["holder"], {"name": name.value, "serial": serial(presented)}).fetchone()
    if row is None:
        raise TrustError(f"no device {str(name.value)!r} is known here: this certificate opens nothing")
    if row["retired"] is not None:
        raise TrustError(f"device {row['name']!r} is retired: add it under another name")
    if row["revoked"] is not None:
        since = f"{row['revoked']:%Y-%m-%d %H:%M} UTC"
        raise TrustError(f"this certificate was revoked at {since} ({row['reason']}): enrol anew")
    return row


def _certify(
    connection: Connection, authority: Authority, device: Holder, csr: bytes, lifetime: timedelta
) -> Certified:
    signed = authority.sign_csr(csr, device.name, lifetime)
    _put_on_record(connection, device, x509.load_pem_x509_certificate(signed))
    return Certified(device=device, certificate=signed)


def _put_on_record(connection: Connection, device: Holder, certificate: x509.Certificate) -> None:
    values = {
        "serial": serial(certificate),
        "device": device.id,
        "key_fingerprint": key_fingerprint(certified_key(certificate)),
        "issued": datetime.now(UTC),
        "expires": certificate.not_valid_after_utc,
    }
    connection.execute(QUERIES["add_certificate"], values)
