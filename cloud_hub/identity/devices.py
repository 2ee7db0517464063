"""Adding a device: its site, its name, and the token it enrols with; and the enrolment itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from cloud_hub.errors import ConfigError, ConflictError, NotFoundError
from cloud_hub.identity import tokens
from cloud_hub.identity.ca import Authority, check_device_name, key_fingerprint, requested_key
from cloud_hub.identity.tokens import QUERIES, Redeemed, Token
from cloud_hub.store.database import Connection, Database
from firmware_configs.errors import ProfileError
from firmware_configs.profiles import profile as find_profile
from wire.topics import NAME

Note = Callable[[Connection], None]


def unnoted(_connection: Connection) -> None:
    """No entry in the audit chain: for tests and tools that keep none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    device: Redeemed
    certificate: bytes  # PEM


def add(
    database: Database,
    authority: Authority,
    *,
    name: str,
    site: str,
    profile: str,
    zone: str | None,
    tags: Sequence[str] = (),
    now: datetime,
    lifetime: timedelta = tokens.LIFETIME,
    note: Note = unnoted,
) -> Token:
    """A new device with its first token; its site is made when it is new.

    ``now`` is the hub's clock; ``note`` writes the act into the audit chain, in its transaction.
    """
    check_device_name(name)
    _check_profile(profile)
    with database.transaction() as connection:
        added = connection.execute(
            QUERIES["add_device"],
            {
                "name": name,
                "site": _site(connection, site, zone),
                "profile": profile,
                "tags": list(tags),
                "now": now,
            },
        ).fetchone()
        if added is None:
            raise ConflictError(f"device {name!r} is there already: --again makes a new token for it")
        token = tokens.create(
            connection,
            device=added["id"],
            name=name,
            fingerprint=authority.fingerprint,
            now=datetime.now(UTC),
            lifetime=lifetime,
        )
        note(connection)
    return token


def add_token(
    database: Database,
    authority: Authority,
    *,
    name: str,
    lifetime: timedelta = tokens.LIFETIME,
    note: Note = unnoted,
) -> Token:
    """A new token for a device that is there, to enrol it again with a new key."""
    with database.transaction() as connection:
        row = connection.execute(QUERIES["device"], {"name": name}).fetchone()
        if row is None:
            raise NotFoundError("device", name)
        if row["retired"] is not None:
            raise ConflictError(f"device {name!r} is retired: add it under another name")
        token = tokens.create(
            connection,
            device=row["id"],
            name=name,
            fingerprint=authority.fingerprint,
            now=datetime.now(UTC),
            lifetime=lifetime,
        )
        note(connection)
    return token


def enrol(database: Database, authority: Authority, *, token: Token, csr: bytes, now: datetime) -> Enrolled:
    """Redeem ``token`` and certify the key in ``csr``, both or neither."""
    fingerprint = key_fingerprint(requested_key(csr))
    with database.transaction() as connection:
        device = tokens.redeem(connection, token, key_fingerprint=fingerprint, now=datetime.now(UTC))
        certificate = authority.sign_csr(csr, device.name)
        connection.execute(
            QUERIES["enrol_device"], {"id": device.id, "key_fingerprint": fingerprint, "now": now}
        )
    return Enrolled(device=device, certificate=certificate)


def _check_profile(name: str) -> None:
    try:
        find_profile(name)
    except ProfileError as error:
        raise ConfigError(str(error)) from error


def _site(connection: Connection, name: str, zone: str | None) -> int:
    if not NAME.fullmatch(name):
        raise ConfigError(f"expected a site name like plant-1, got {name!r}")
    if zone is not None and zone not in available_timezones():
        raise ConfigError(f"expected an IANA time zone like Europe/Berlin, got {zone!r}")
    known = connection.execute(QUERIES["site"], {"name": name}).fetchone()
    if known is not None and zone is not None and ZoneInfo(known["zone"]) != ZoneInfo(zone):
        raise ConflictError(f"site {name!r} is in {known['zone']}, not in {zone}")
    row = known or connection.execute(QUERIES["add_site"], {"name": name, "zone": zone or "UTC"}).fetchone()
    assert row is not None, "an upsert that returns always returns"
    return int(row["id"])
