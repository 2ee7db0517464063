"""What a person may do, in one table. Pure.

A role is held at one site or at all of them. What concerns the whole fleet (a model is
trained from every site's data, a key signs for all) takes the role at all sites.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Self


class Role(StrEnum):
    VIEWER = "viewer"
    ENGINEER = "engineer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Permission(StrEnum):
    ACCOUNT = "account"  # one's own: password, tokens, sign out
    SEE = "see"
    ASK = "ask"  # what a release would say
    AUDIT = "audit"  # read the chain of decisions
    METRICS = "metrics"
    JUDGE = "alarm.judge"
    LABEL = "label"  # log a failure or maintenance
    DATA = "data"  # import, snapshot, quarantine
    TRAIN = "train"
    APPROVE = "approve"  # a release
    START = "rollout.start"
    PAUSE = "rollout.pause"
    STEER = "rollout.steer"  # resume, abort, undo
    WIDEN = "rollout.widen"  # approve the next wave
    PIN = "device.pin"
    ENROL = "device.enrol"
    RETIRE = "device.retire"
    KEYS = "keys"
    PEOPLE = "people"


_ALL = frozenset(Permission)
_LOOK = frozenset({Permission.ACCOUNT, Permission.SEE})
_WORK = _LOOK | {Permission.ASK, Permission.AUDIT, Permission.METRICS, Permission.PAUSE}

# The cord may be pulled by everybody who does more than look.
MAY: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _LOOK,
        Role.ENGINEER: _WORK | {Permission.JUDGE, Permission.LABEL, Permission.DATA, Permission.TRAIN},
        Role.OPERATOR: _WORK
        | {
            Permission.JUDGE,
            Permission.LABEL,
            Permission.START,
            Permission.STEER,
            Permission.PIN,
            Permission.ENROL,
            Permission.RETIRE,
        },
        Role.APPROVER: _WORK | {Permission.APPROVE, Permission.WIDEN},
        Role.ADMIN: _ALL,
    }
)
# These know no site; the role has to be held at all of them.
FLEET_WIDE = frozenset(
    {
        Permission.AUDIT,
        Permission.METRICS,
        Permission.DATA,
        Permission.TRAIN,
        Permission.APPROVE,
        Permission.KEYS,
        Permission.PEOPLE,
    }
)
# No token may do these, whatever its person may: it would make itself more than it is.
NEVER_BY_TOKEN = frozenset({Permission.ACCOUNT, Permission.KEYS, Permission.PEOPLE})


@dataclass(frozen=True, slots=True)
class Grant:
    role: Role
    site: str | None = None  # None: every site

    @classmethod
    def parse(cls, text: str) -> Self:
        """``operator`` at every site or ``operator@lyon``; ``ValueError`` for what is no role."""
        role, _, site = text.partition("@")
        if role not in list(Role) or (site == "" and "@" in text):
            raise ValueError(f"expected ROLE or ROLE@SITE with a role of {', '.join(Role)}, got {text!r}")
        return cls(Role(role), site or None)

    def __str__(self) -> str:
        return f"{self.role}@{self.site}" if self.site else str(self.role)


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do where: of their roles, and where they come by a token of its scopes alone."""

    grants: frozenset[Grant]
    scopes: frozenset[Permission] = _ALL

    def sites(self, permission: Permission) -> frozenset[str] | None:
        """The sites at which it may be done; None for every site."""
        found = {grant.site for grant in self.grants if permission in self.scopes & MAY[grant.role]}
        if None in found:
            return None
        return frozenset(site for site in found if site is not None)

    def may(self, permission: Permission, sites: Collection[str] | None = None) -> bool:
        """Whether it may be done at every one of ``sites``; without them, at some site or for the fleet."""
        allowed = self.sites(permission)
        if allowed is None:
            return True
        if sites is None:
            return bool(allowed) and permission not in FLEET_WIDE
        return bool(sites) and allowed.issuperset(sites) and permission not in FLEET_WIDE


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """The roles that may do it."""
    return tuple(role for role in Role if permission in MAY[role])
