"""What is behind the request at hand: the hub, the people's office, and who asks."""

from dataclasses import dataclass

from flask import current_app, g

from cloud_hub.errors import NotFoundError
from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Permission, Rights
from cloud_hub.identity.people.sessions import Session
from cloud_hub.store.database import load_queries

SQL = load_queries("cloud_hub.console")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks: the name that goes into the audit chain, and what it may do."""

    name: str
    rights: Rights
    session: Session | None  # None: it came with a token

    def may(self, permission: Permission) -> bool:
        """Whether it may be done somewhere, or for the fleet; for templates."""
        if permission is Permission.ACCOUNT:
            return self.session is not None
        return self.rights.may(permission)


def hub() -> Hub:
    found: Hub = current_app.extensions["hub"]
    return found


def office() -> Office:
    found: Office = current_app.extensions["office"]
    return found


def caller() -> Caller:
    """Who asks; every view but those that are open to all has one."""
    found: Caller = g.caller
    return found


def seen_sites() -> list[str] | None:
    """The sites whose things this caller may see; None for all. Queries take it as it is."""
    return sites_with(Permission.SEE)


def sites_with(*permissions: Permission) -> list[str] | None:
    """The sites at which this caller holds every one of ``permissions``; None for all."""
    held = [sites for each in permissions if (sites := caller().rights.sites(each)) is not None]
    return sorted(frozenset.intersection(*held)) if held else None


def check_seen(kind: str, name: str, sites: frozenset[str] | None) -> None:
    """``NotFoundError``, as for what is not there, where nothing of it is at a site that may be seen."""
    seen = caller().rights.sites(Permission.SEE)
    if sites is None or not (seen is None or seen & sites):
        raise NotFoundError(kind, name)
