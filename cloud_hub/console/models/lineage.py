"""The lineage of a release or a dataset, as things and what each was made of. Pure.

One description serves both the drawing and the table beside it, so that neither can tell
what the other does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

MOST_ROLLOUTS = 6  # drawn one by one; the rest as one


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    id: str
    kind: str  # "dataset", "run", "release" and so on: the word beside it
    title: str
    detail: str = ""
    time: datetime | None = None  # of what ``detail`` tells, in the zone of whoever reads it
    url: str = ""
    layer: int  # how far from the rows it all began with
    made_of: tuple[str, ...] = ()  # ids
    here: bool = False  # what the page is about

    def to_fields(self) -> dict[str, Any]:
        names = ("id", "kind", "title", "detail", "url", "layer", "here")
        fields = {name: getattr(self, name) for name in names} | {"made_of": list(self.made_of)}
        return fields | {"time": self.time.isoformat() if self.time else ""}


@dataclass(slots=True)
class Lineage:
    """Things in the order in which they are told: whatever a thing is made of comes before it."""

    things: list[Thing] = field(default_factory=list)

    def add(self, thing: Thing) -> None:
        known = {each.id for each in self.things}
        assert known.issuperset(thing.made_of), f"{thing.id} is made of what was not told yet"
        self.things.append(thing)

    def sources(self, thing: Thing) -> list[Thing]:
        return [each for each in self.things if each.id in thing.made_of]

    def to_fields(self) -> list[dict[str, Any]]:
        return [thing.to_fields() for thing in self.things]


def counted(number: int, one: str, many: str = "") -> str:
    """``1 machine``, ``12 machines``, with thin spaces in large numbers."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", "\u202f")


def judged(verdicts: Sequence[str]) -> str:
    """What people said of alarms, each ``right``, ``wrong`` or empty."""
    told = [
        f"{count} {word}"
        for word, verdict in (("right", "right"), ("wrong", "wrong"), ("not judged", ""))
        if (count := verdicts.count(verdict))
    ]
    return ", ".join(told)


def add_rollouts(
    lineage: Lineage, rollouts: Sequence[tuple[str, str, str, datetime]], *, layer: int
) -> tuple[str, ...]:
    """Add rollouts, each its name, what to say of it, its page and its time, the newest first; their ids."""
    drawn, more = rollouts[:MOST_ROLLOUTS], len(rollouts) - MOST_ROLLOUTS
    for name, detail, url, time in drawn:
        sent = _rollout(name, detail, layer)
        lineage.add(replace(sent, url=url, time=time))
    if more > 0:
        lineage.add(_rollout("earlier", counted(more, "earlier rollout"), layer))
    return tuple(each.id for each in lineage.things if each.kind == "rollout")


def _rollout(name: str, detail: str, layer: int) -> Thing:
    return Thing(
        id=f"rollout-{name}", kind="rollout", title=name, detail=detail, layer=layer, made_of=("bundle",)
    )


def place(release: str) -> dict[str, Any]:
    """What the pages of a release are asked for by."""
    use_case, _, version = release.rpartition("/")
    return {"use_case": use_case, "version": int(version)}


def some(names: Sequence[str], total: int) -> str:
    """The first ``names`` of ``total``, and how many more there are."""
    more = f" and {total - len(names):,} more".replace(",", "\u202f") if total > len(names) else ""
    return ", ".join(names) + more
