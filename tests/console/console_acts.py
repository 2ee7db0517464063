"""Every act that the console offers, as the form of its button would send it: found in the app, not listed by hand."""

from collections.abc import Iterator, Mapping

from flask import Flask

from cloud_hub.console.gate import Need, need_of
from cloud_hub.identity.people.permissions import Permission

EVERYBODYS = (None, Permission.SEE, Permission.ACCOUNT)  # the door, looking, and an account of one's own
NOT_YOURS, NOT_HERE = frozenset({403}), frozenset({404})  # what is not there is looked up before all else
NO_MATTER = (
    "1"  # what a route names and ``things`` does not: whoever is refused is refused before it is looked up
)


def acts(app: Flask, things: Mapping[str, str]) -> Iterator[tuple[str, frozenset[int]]]:
    """Paths that take a form from people who may more than see, each with how it may answer who may only see.

    ``things`` are values of what routes name; a ``name`` is looked up by whose it is, as ``machine`` or ``device``.
    """
    matching = app.url_map.bind("hub")
    for rule in app.url_map.iter_rules():
        need = need_of(app, rule.endpoint)
        if need is None or "POST" not in (rule.methods or ()):
            continue
        owner = need.of.__name__ if need.of else ""
        values = {each: things.get(each, NO_MATTER) for each in rule.arguments}
        if "name" in values:
            values["name"] = things.get(owner, NO_MATTER)
        for chosen in _by_permission(need, values):
            refusals = NOT_YOURS if not owner or owner in things else NOT_YOURS | NOT_HERE
            yield matching.build(rule.endpoint, chosen, method="POST"), refusals


def _by_permission(need: Need, values: dict[str, str]) -> Iterator[dict[str, str]]:
    if isinstance(need.permission, Mapping):
        asked = [(values | {"act": act}, permission) for act, permission in need.permission.items()]
    else:
        asked = [(values, need.permission)]
    yield from (chosen for chosen, permission in asked if permission not in EVERYBODYS)
