"""Which files of models and datasets may go, and which must stay. Pure.

What a device runs, or may go back to, stays whatever its age; so does what a
rollout, an alias or an approval is about, and the newest versions of each use
case. What was signed and published stays in its repository in any case: this is
about the hub's own files. Rows stay for ever, so that every number can still be traced.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud_hub.store.database import Row, load_queries

SQL = load_queries("cloud_hub.registry", "keeping.sql")
SKETCHES = "sketches"  # folder of what drift is held against, made of a release's dataset once
ENGINES = "engines"  # folder of a release's engines, by target: made of its bundle, and signed copies stay
SLOTS = 3  # newest directives of a device: what it runs, what it had before, what is on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    models: tuple[Row, ...]  # whose files go
    datasets: tuple[Row, ...]  # whose files go
    kept: dict[str, list[str]]  # release: why its files stay

    @property
    def releases(self) -> list[str]:
        return [row["release"] for row in self.models]


def plan(models: Sequence[Row], datasets: Sequence[Row], *, keep: int) -> Plan:
    """What may go of ``models`` and ``datasets``, newest first, beside the ``keep`` newest of a use case."""
    kept: dict[str, list[str]] = {}
    gone: list[Row] = []
    for row, place in _placed(models):
        why = [*row["needed"], *([f"it is one of the {keep} newest"] if place < keep else [])]
        if why:
            kept[row["release"]] = why
        else:
            gone.append(row)
    releases = {row["release"] for row in gone}
    return Plan(
        models=tuple(gone),
        datasets=tuple(row for row in datasets if not {*row["models"]} - releases and not row["training"]),
        kept=kept,
    )


def _placed(rows: Iterable[Row]) -> Iterable[tuple[Row, int]]:
    """Each row with its place within its use case, from 0."""
    seen: dict[str, int] = {}
    for row in rows:
        place = seen.get(row["use_case"], 0)
        seen[row["use_case"]] = place + 1
        yield row, place
