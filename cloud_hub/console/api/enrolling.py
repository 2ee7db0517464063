"""Devices come and go: a place and a token for a new one, another token, and out of service for good.

The same calls as the console's forms and ``andon device``, and the same entries in the audit
chain. A token is told once, in the answer; the hub keeps its hash.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from cloud_hub.console import reach
from cloud_hub.console.api.asked import Body, RefusedError, refused
from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import caller, hub
from cloud_hub.errors import ConfigError, TrustError
from cloud_hub.identity import devices, revoking
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.devices import NewDevice, Note
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.identity.tokens import Token
from cloud_hub.store.database import Connection
from firmware_configs.profiles import profiles
from wire.topics import NAME

Name = Annotated[str, StringConstraints(pattern=f"^{NAME.pattern}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00,]*$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*\S[^\x00]*$")]
Hours = Annotated[Literal[1, 24, 168], Field(description="Until the token ends, in real time.")]


class Enrolment(Body):
    name: Name
    site: Annotated[Name, Field(description="Made where it is new.")]
    profile: Annotated[Name, Field(description="As the device reads it: see `andon edge install`.")] = (
        devices.PROFILE
    )
    zone: Annotated[Label | None, Field(description="IANA, of a new site; null: UTC, or as the site is.")] = (
        None
    )
    tags: Annotated[tuple[Label, ...], Field(max_length=32)] = ()
    hours: Hours = 24


class TokenAsked(Body):
    hours: Hours = 24


class Retirement(Body):
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTold:
    """What a device enrols with, told this once; ``expires`` in real time."""

    device: str
    token: str
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    device: str
    certificates_revoked: int


@operation("POST", "/devices", Permission.ENROL, status=201)
def enrol(body: Enrolment) -> TokenTold:
    """Add a device and make its first token.

    A name that is taken is refused: sent twice, the second adds nothing.
    """
    if not caller().rights.may(Permission.ENROL, [body.site]):
        roles = " or ".join(roles_with(Permission.ENROL))
        raise RefusedError(403, f"To enrol a device at {body.site} takes the role {roles} there.")
    if body.profile not in profiles():
        raise refused("profile", f"one of {', '.join(sorted(profiles()))}", body.profile)
    device = NewDevice(
        name=body.name, site=body.site, profile=body.profile, zone=body.zone, tags=tuple(body.tags)
    )
    note = _note("device.add", device.name, {"site": device.site, "profile": device.profile})
    try:
        (token,) = devices.add_all(
            hub().database,
            _authority(),
            [device],
            now=hub().clock.now(),
            lifetime=timedelta(hours=body.hours),
            note=note,
        )
    except (ConfigError, TrustError) as error:
        raise RefusedError(422, f"Nothing was added: {error}.") from error
    return _told(token, body.hours)


@operation("POST", "/devices/<name>/token", Permission.ENROL, of=reach.device, status=201)
def renew_token(name: str, body: TokenAsked) -> TokenTold:
    """Make another token, to enrol a device again with a new key; the one before ends."""
    lifetime = timedelta(hours=body.hours)
    note = _note("device.token", name, {})
    return _told(
        devices.add_token(hub().database, _authority(), name=name, lifetime=lifetime, note=note), body.hours
    )


@operation("POST", "/devices/<name>/retire", Permission.RETIRE, of=reach.device)
def retire(name: str, body: Retirement) -> Retired:
    """Take a device out of service for good: the hub refuses it from now on, the broker within seconds."""
    reason = " ".join(body.reason.split())
    note = _note("device.retire", name, {"reason": reason})
    revoked = revoking.retire(hub().database, name=name, reason=reason, now=hub().clock.now(), note=note)
    return Retired(device=name, certificates_revoked=revoked)


def _told(token: Token, hours: int) -> TokenTold:
    return TokenTold(
        device=token.device, token=str(token), expires=datetime.now(UTC) + timedelta(hours=hours)
    )


def _authority() -> Authority:
    return Authority.of(hub().config.state_dir).ensure()


def _note(action: str, subject: str, detail: dict[str, Any]) -> Note:
    """What the audit chain keeps of it: never the token."""
    record, actor = hub().record, caller().name

    def note(connection: Connection) -> None:
        record(connection, actor=actor, action=action, subject=subject, detail=detail)

    return note
