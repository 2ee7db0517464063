"""Which verdict on an alarm stands: the last word. Labels do not change: a second verdict is a second label.

Whatever was learnt before it was said stays explained by the first one; what is learnt
afterwards goes by the last. Pure.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar


class Said(Protocol):
    """A label, as it is read or as it comes in."""

    @property
    def kind(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def detail(self) -> dict[str, Any]: ...


Label = TypeVar("Label", bound=Said)


def on_alarm(labels: Iterable[Label], *, opened: datetime, use_case: str) -> list[Label]:
    """The verdicts on one alarm in the order they were said; the last one stands."""
    alarm = (opened, use_case)
    found = [each for each in labels if each.kind == "verdict" and _same(_alarm(each.detail), alarm)]
    return sorted(found, key=lambda each: each.time)


def standing(labels: Iterable[Label]) -> list[Label]:
    """Labels of one machine in order, without the verdicts that a later one on the same alarm replaces."""
    kept: list[Label] = []
    for label in sorted(labels, key=lambda each: each.time, reverse=True):
        alarm = _alarm(label.detail) if label.kind == "verdict" else None
        if not any(each.kind == "verdict" and _same(_alarm(each.detail), alarm) for each in kept):
            kept.append(label)
    return kept[::-1]


def _alarm(detail: Mapping[str, Any]) -> tuple[datetime, str] | None:
    """The opening of the alarm that a verdict names, and its use case where it says so."""
    opened = detail.get("alarm")
    return (datetime.fromisoformat(opened), detail.get("use_case") or "") if opened else None


def _same(one: tuple[datetime, str] | None, other: tuple[datetime, str] | None) -> bool:
    """A verdict that names no use case is on whichever alarm opened then."""
    if one is None or other is None or one[0] != other[0]:
        return False
    return not one[1] or not other[1] or one[1] == other[1]
