"""What of a rollout's plan and history is for a caller who sees some of its sites.

A rollout that concerns one of their devices is theirs to see, with what was decided; who else is in it is
not: a plan may name sites and devices, and what was superseded may be a rollout of others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cloud_hub.console import reach
from cloud_hub.console.here import caller, seen_sites
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout.read import Decided

SITE, DEVICE, ROLLOUT = "another site", "another device", "another rollout"  # no name has a blank


def plan(told: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as JSON keeps it; what may not be seen is told as another, once for all of it."""
    sites, selector = seen_sites(), told.get("selector")
    if sites is None or not selector:
        return dict(told)
    named = {"sites": sites, "devices": reach.devices_seen(selector.get("devices") or ())}
    others = {"sites": SITE, "devices": DEVICE}
    lists = {name: _shown(selector.get(name) or (), seen, others[name]) for name, seen in named.items()}
    return {**told, "selector": {**selector, **lists}}


def history(decided: Iterable[Decided]) -> tuple[Decided, ...]:
    """What was decided, and of each the plan and what it ended as far as they are the caller's."""
    return tuple(decided) if seen_sites() is None else tuple(map(_decision, decided))


def _decision(each: Decided) -> Decided:
    detail = dict(each.detail)
    if isinstance(detail.get("plan"), Mapping):
        detail["plan"] = plan(detail["plan"])
    if ended := detail.get("supersedes"):
        detail["supersedes"] = _shown(ended, filter(_is_seen, ended), ROLLOUT)
    return replace(each, detail=detail)


def _is_seen(rollout: str) -> bool:
    seen = caller().rights.sites(Permission.SEE)
    return seen is None or bool(seen & (reach.rollout(rollout) or frozenset()))


def _shown(names: Iterable[str], seen: Iterable[str], other: str) -> list[str]:
    known = frozenset(seen)
    return list(dict.fromkeys(name if name in known else other for name in names))
