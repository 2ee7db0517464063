"""What one correlation id ties together, told in the order in which it happened.

From what a trigger saw, over the run, its dataset, the candidate and who approved it, to the rollouts and
where their devices stand. A story is as long as a page: of thousands of devices it tells how many, and names
those that went another way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.errors import NotFoundError
from cloud_hub.hub import Hub
from cloud_hub.rollout.states import FAILURES, KEPT, SILENT
from cloud_hub.store.database import Connection, Row, load_queries

SQL = load_queries("cloud_hub.flows", "story.sql")
MOST_ENTRIES = 500
MOST_DEVICES = 50
TROUBLES = [*sorted(FAILURES), SILENT, KEPT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened. What it is about: ``name`` among its ``kind``."""

    time: datetime
    kind: str  # "trigger", "run", "dataset", "release", "rollout", "device" or "decision"
    name: str
    text: str = ""
    state: str = ""
    entry: Row | None = None  # of the chain, for a decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    correlation: str
    steps: tuple[Step, ...]
    runs: tuple[Row, ...]
    releases: tuple[Row, ...]
    rollouts: tuple[Row, ...]
    entries: int  # of the chain, in all
    left_off: int  # entries that are not among the steps


def story(hub: Hub, correlation: str) -> Story:
    """``NotFoundError`` where nothing goes by this id."""
    named = {"correlation": correlation, "most": MOST_ENTRIES}
    with hub.database.transaction() as connection:
        entries = connection.execute(SQL["entries"], named).fetchall()
        counted = connection.execute(SQL["entries_count"], named).fetchone() or {"entries": 0}
        runs = connection.execute(SQL["runs"], named).fetchall()
        rollouts = connection.execute(SQL["rollouts"], named).fetchall()
        if not (entries or runs or rollouts):
            raise NotFoundError("trace", correlation)
        models = connection.execute(SQL["models"], {"runs": _ids(runs)}).fetchall()
        told = [
            *(Step(time=row["time"], kind="decision", name=row["subject"], entry=row) for row in entries),
            *_of_runs(connection, runs, {row["subject"] for row in entries}),
            *map(_of_model, models),
            *_of_devices(connection, rollouts),
        ]
    return Story(
        correlation=correlation,
        steps=tuple(sorted(told, key=lambda step: step.time)),
        runs=tuple(runs),
        releases=tuple(models),
        rollouts=tuple(rollouts),
        entries=counted["entries"],
        left_off=counted["entries"] - len(entries),
    )


def _of_runs(connection: Connection, runs: list[Row], asked: set[str]) -> Iterable[Step]:
    """What a trigger saw, the runs that no entry tells of, and the datasets that they learnt from."""
    for row in connection.execute(SQL["looks"], {"runs": _ids(runs)}):
        text = "; ".join(row["reasons"]) or "a training was due"
        yield Step(time=row["checked"], kind="trigger", name=row["use_case"], text=text)
    for row in runs:
        if row["id"] not in asked:
            yield Step(time=row["created"], kind="run", name=row["id"], state="queued", text=row["why"] or "")
    named = [row["dataset"] for row in runs if row["dataset"]]
    for row in connection.execute(SQL["datasets"], {"datasets": named}):
        text = f"{row['rows']} rows of {row['machines']} machines, {row['lives']} lives"
        yield Step(time=row["created"], kind="dataset", name=row["id"], text=text)


def _of_model(row: Row) -> Step:
    verdict = (
        "" if row["passed"] is None else "the gate passed it" if row["passed"] else "the gate refused it"
    )
    text = ": ".join(filter(None, (verdict, row["reason"])))
    return Step(time=row["created"], kind="release", name=row["release"], text=text, state=row["state"])


def _of_devices(connection: Connection, rollouts: list[Row]) -> Iterable[Step]:
    named = {"rollouts": _ids(rollouts), "states": TROUBLES, "most": MOST_DEVICES}
    for row in connection.execute(SQL["devices"], named):
        text = (
            "1 device"
            if row["devices"] == 1
            else f"{row['devices']} devices, the first of them at this moment"
        )
        yield Step(time=row["first"], kind="rollout", name=row["rollout"], state=row["state"], text=text)
    for row in connection.execute(SQL["troubles"], named):
        yield Step(
            time=row["changed"], kind="device", name=row["device"], state=row["state"], text=row["reason"]
        )


def _ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]
