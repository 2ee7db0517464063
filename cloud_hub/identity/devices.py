"""Adding devices: their sites, their names, and the tokens they enrol with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConfigError, ConflictError, HubError, NotFoundError
from cloud_hub.identity import tokens
from cloud_hub.identity.ca import Authority, check_device_name
from cloud_hub.identity.tokens import QUERIES, Token
from cloud_hub.store.database import Connection, Database
from firmware_configs.errors import ProfileError
from firmware_configs.profiles import profile as find_profile
from wire.topics import NAME

Note = Callable[[Connection], None]
Keep = Callable[[Sequence[Token]], None]

PROFILE = "generic"  # of a device nobody said more about


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A device's place in the fleet, as somebody asks for it."""

    name: str
    site: str
    profile: str = PROFILE
    zone: str | None = None  # IANA, of the site; None: as it is, or UTC
    tags: tuple[str, ...] = ()
    line: int = 0  # of the file it stands in; 0: none

    @property
    def place(self) -> str:
        """What an error about it begins with."""
        return f"line {self.line}: " if self.line else ""


def unnoted(_connection: Connection) -> None:
    """No entry in the audit chain: for tests and tools that keep none."""


def unkept(_tokens: Sequence[Token]) -> None:
    """The caller keeps what is returned."""


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
    device = NewDevice(name=name, site=site, profile=profile, zone=zone, tags=tuple(tags))
    (token,) = add_all(database, authority, [device], now=now, lifetime=lifetime, note=note)
    return token


def add_all(
    database: Database,
    authority: Authority,
    new: Sequence[NewDevice],
    *,
    now: datetime,
    lifetime: timedelta = tokens.LIFETIME,
    keep: Keep = unkept,
    note: Note = unnoted,
) -> list[Token]:
    """All of ``new`` with their first tokens, or none of them; in a few statements, however many there are.

    ``keep`` is given the tokens before anything is committed: what it could not write leads to no device.
    """
    _check(new)
    names = [device.name for device in new]
    with database.transaction() as connection:
        _add_sites(connection, new)
        _add_devices(connection, new, now)
        made = tokens.create(
            connection,
            devices=names,
            fingerprint=authority.fingerprint,
            now=datetime.now(UTC),
            lifetime=lifetime,
        )
        keep(made)
        note(connection)
    return made


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
        (token,) = tokens.create(
            connection,
            devices=[name],
            fingerprint=authority.fingerprint,
            now=datetime.now(UTC),
            lifetime=lifetime,
        )
        note(connection)
    return token


def _check(new: Sequence[NewDevice]) -> None:
    """Refuse what could be no device, whatever is in the database."""
    zones = available_timezones()
    for device in new:
        try:
            check_device_name(device.name)
            find_profile(device.profile)
        except ProfileError as error:
            raise ConfigError(f"{device.place}{error}") from error
        except HubError as error:
            raise type(error)(f"{device.place}{error}") from error
        if not NAME.fullmatch(device.site):
            raise ConfigError(f"{device.place}expected a site name like plant-1, got {device.site!r}")
        if device.zone is not None and device.zone not in zones:
            raise ConfigError(
                f"{device.place}expected an IANA time zone like Europe/Berlin, got {device.zone!r}"
            )


def _add_sites(connection: Connection, new: Sequence[NewDevice]) -> None:
    """Make the sites that are new; one that is known keeps its zone."""
    zones: dict[str, str | None] = {}
    for device in new:
        zones[device.site] = zones.get(device.site) or device.zone
    sites = sorted(zones)
    connection.execute(QUERIES["add_sites"], {"names": sites, "zones": [zones[name] for name in sites]})
    rows = connection.execute(QUERIES["sites"], {"names": sites})
    known: dict[str, str] = {row["name"]: row["zone"] for row in rows}
    for device in new:
        if device.zone not in (None, known[device.site]):
            where = f"site {device.site!r} is in {known[device.site]}, not in {device.zone}"
            raise ConflictError(f"{device.place}{where}")


def _add_devices(connection: Connection, new: Sequence[NewDevice], now: datetime) -> None:
    wanted = [
        {"name": device.name, "site": device.site, "profile": device.profile, "tags": device.tags}
        for device in new
    ]
    rows = connection.execute(QUERIES["add_devices"], {"devices": Jsonb(wanted), "now": now})
    added = {row["name"] for row in rows}
    for device in new:
        if device.name not in added:
            raise ConflictError(
                f"{device.place}device {device.name!r} is there already: --again makes a new token for it"
            )
