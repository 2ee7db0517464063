"""At which sites something is: what decides whether somebody may see it, or do something to it."""

from collections.abc import Iterable

from cloud_hub.console.here import SQL, check_seen, hub, seen_sites
from cloud_hub.store import quarantine_list

Sites = frozenset[str] | None  # None: there is no such thing


def machine(name: str) -> Sites:
    return _sites("sites_of_machine", name)


def device(name: str) -> Sites:
    return _sites("sites_of_device", name)


def rollout(name: str) -> Sites:
    """Those of all its devices."""
    return _sites("sites_of_rollout", name)


def quarantined(name: str) -> Sites:
    """Empty for a message of nobody known, which is for those who see every site."""
    return quarantine_list.sites_of(hub().database, int(name))


quarantined.__name__ = "quarantined message"  # as whoever looks for one in vain is told


def check_machine(name: str) -> None:
    """``NotFoundError`` for a machine that is not there, or at no site the caller may see."""
    check_seen("machine", name, machine(name))


def devices_seen(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that the caller may see, in order."""
    wanted = {"names": list(names), "sites": seen_sites()}
    return [row["name"] for row in hub().database.rows(SQL["devices_at"], wanted)]


def machines_seen(names: Iterable[str]) -> list[str]:
    """The same of machines; whoever sees every site sees those that are of none any more, too."""
    sites = seen_sites()
    if sites is None:
        return sorted(names)
    wanted = {"names": list(names), "sites": sites}
    return [row["name"] for row in hub().database.rows(SQL["machines_at"], wanted)]


def _sites(query: str, name: str) -> Sites:
    row = hub().database.row(SQL[query], {"name": name})
    return None if row is None or row["sites"] is None else frozenset(row["sites"])
