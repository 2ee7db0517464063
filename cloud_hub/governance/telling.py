"""The detail of an audit entry in one line: a list is read at a glance, `andon audit show` tells it all."""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud_hub.terminal import printable

FIRST = ("override", "passed", "error", "reason", "why")  # what a reader wants to know before the rest
MOST = 3  # of a list are named
LONGEST = 80  # characters


def summary(detail: Mapping[str, Any]) -> str:
    """What ``detail`` says, without what is empty: ``passed; reason: RMSE 12 h; release: pump/3``."""
    line = printable("; ".join(_parts(detail)))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _parts(detail: Mapping[str, Any]) -> list[str]:
    names = sorted(detail, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    return [_told(name.replace("_", " "), detail[name]) for name in names if not _empty(detail[name])]


def _told(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"not {name}"
    if isinstance(value, Mapping):
        plain = {key: each for key, each in value.items() if not isinstance(each, Mapping | list)}
        return f"{name} ({'; '.join(_parts(plain))})"
    if isinstance(value, list):
        return _listed(name, value)
    return f"{name}: {value:g}" if isinstance(value, float) else f"{name}: {value}"


def _listed(name: str, values: Sequence[Any]) -> str:
    if any(isinstance(each, Mapping | list) for each in values):
        return f"{len(values)} {name}"
    more = f" and {len(values) - MOST} more" if len(values) > MOST else ""
    return f"{name}: {', '.join(map(str, values[:MOST]))}{more}"


def _empty(value: Any) -> bool:
    """Whether nothing was said; no and 0 are something."""
    return value is None or value in ("", [], {})
