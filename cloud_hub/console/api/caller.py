"""Who asks, and what that token or session may do."""

from dataclasses import dataclass

from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import caller
from cloud_hub.identity.people.permissions import FLEET_WIDE, NEVER_BY_TOKEN, Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """Of one permission: at which sites; null for every site, and so for the fleet."""

    permission: Permission
    sites: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Whom the caller speaks for: the actor of what it does in the audit chain."""

    name: str
    by: str  # "token" or "session"
    roles: tuple[str, ...]  # as operator@lyon; without a site, at every one
    may: tuple[May, ...]


@operation("GET", "/me", Permission.SEE, whoever=True)
def me() -> Me:
    """Who I am, and what I may do where."""
    found = caller()
    never = NEVER_BY_TOKEN if found.session is None else frozenset[Permission]()
    held = {each: found.rights.sites(each) for each in Permission if each not in never}
    return Me(
        name=found.name,
        by="token" if found.session is None else "session",
        roles=tuple(sorted(map(str, found.rights.grants))),
        may=tuple(
            May(permission=each, sites=None if sites is None else tuple(sorted(sites)))
            for each, sites in held.items()
            if sites is None or (sites and each not in FLEET_WIDE)
        ),
    )
