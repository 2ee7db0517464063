"""What the store knows about the machines of a use case, as of one moment.

One REPEATABLE READ snapshot of the database, nothing later than that moment: no row
measured or received after it, no label, and no label that was written down only
afterwards. What was left out, and what looked strange on the way, is told with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from cloud_hub.dataset.copied import Rows, parse
from cloud_hub.dataset.judging import Judged, judge
from cloud_hub.dataset.lives import Before
from cloud_hub.dataset.membership import Member, Membership, choose
from cloud_hub.dataset.tidying import Tidy, tidy
from cloud_hub.errors import DatasetError
from cloud_hub.store.database import Connection, Database, Row, load_queries
from cloud_hub.store.labels import NewLabel
from models.examples import Examples
from models.use_case import UseCase
from wire.clock import to_us
from wire.manifest import Waveform

SQL = load_queries("cloud_hub.dataset")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a dataset asks the store for; kept in its manifest."""

    machine_class: str
    feature_set: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The examples, and what else there is to say about where they come from."""

    examples: Examples
    members: tuple[Member, ...]  # as ``examples.machines``
    left_out: dict[str, str]  # why, by machine
    tidy: Tidy
    judged: tuple[Judged, ...]  # as ``examples.machines``
    gaps: list[Row]  # device, machine, from_time, to_time, reason
    labels: int
    received_late: int  # rows that came only after the moment: left out
    waveforms: tuple[Waveform, ...] = ()  # that the features are made of


def read(database: Database, query: Query, use_case: UseCase) -> Found:
    """Everything the store holds for ``query``; DatasetError says what is missing or does not fit."""
    with database.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        membership = _membership(connection, query, use_case)
        values = {"since": query.since, "until": query.until, "feature_set": query.feature_set}
        values["machines"] = [member.id for member in membership.members]
        values["devices"] = sorted({member.device for member in membership.members})
        membership, count = _of_one_width(connection, values, membership, use_case)
        rows = _rows(connection, values, membership, count)
        labels = connection.execute(SQL["labels"], values).fetchall()
        gaps = connection.execute(SQL["gaps"], values).fetchall()
        before = _before(connection, values)
    ordered = tidy(rows, [member.id for member in membership.members])
    judged = _judged(membership.members, ordered, labels, before, use_case)
    return Found(
        examples=_examples(membership, ordered, judged, use_case),
        members=membership.members,
        waveforms=membership.waveforms,
        left_out=membership.left_out,
        tidy=ordered,
        judged=judged,
        gaps=gaps,
        labels=len(labels),
        received_late=count - len(rows),
    )


def _membership(connection: Connection, query: Query, use_case: UseCase) -> Membership:
    rows = connection.execute(SQL["machines"], {"machine_class": query.machine_class}).fetchall()
    if not rows:
        raise DatasetError(
            f"expected machines of class {query.machine_class!r}, got none: has a device with such machines "
            "been born at this hub?"
        )
    membership = choose(rows, use_case, since=query.since)
    if not membership.members:
        raise DatasetError(
            f"expected machines with the signals of {use_case.name} and features {use_case.feature_set!r}, "
            f"got none: {left_out_in_words(membership.left_out)}"
        )
    return membership


def _of_one_width(
    connection: Connection, values: dict[str, Any], membership: Membership, use_case: UseCase
) -> tuple[Membership, int]:
    """``membership`` without the machines whose rows have another width, and how many rows there are."""
    found = connection.execute(SQL["widths"], values).fetchall()
    width, names = len(membership.names), {member.id: member.name for member in membership.members}
    left_out = dict(membership.left_out)
    for row in found:
        if row["width"] != width:
            left_out[names[row["machine"]]] = (
                f"expected {width} features a row, got {row['width']} in {row['rows']} rows: its signals "
                "changed; snapshot a span without those rows"
            )
    members = tuple(member for member in membership.members if member.name not in left_out)
    count = sum(row["rows"] for row in found if names[row["machine"]] not in left_out)
    if not count:
        told = f" (left out: {left_out_in_words(left_out)})" if left_out else ""
        raise DatasetError(
            f"expected feature rows of {some(names.values())} for {use_case.name} from "
            f"{values['since']:%Y-%m-%d} to {values['until']:%Y-%m-%d}, got none{told}: "
            "do the devices run, and does ingest?"
        )
    chosen = replace(membership, members=members, left_out=left_out)
    values["machines"] = [member.id for member in members]
    return chosen, count


def _rows(connection: Connection, values: dict[str, Any], membership: Membership, count: int) -> Rows:
    with connection.cursor() as cursor, cursor.copy(SQL["rows"], values) as stream:
        return parse(stream, width=len(membership.names), rows=count)


def _before(connection: Connection, values: dict[str, Any]) -> dict[int, Before]:
    """What the lives that the span begins in had had, by machine."""
    since = to_us(values["since"])
    return {
        row["machine"]: Before(rows=row["rows"], began_us=to_us(row["began"]), since_us=since)
        for row in connection.execute(SQL["before"], values)
    }


def _judged(
    members: Sequence[Member],
    ordered: Tidy,
    labels: list[Row],
    before: dict[int, Before],
    use_case: UseCase,
) -> tuple[Judged, ...]:
    by_machine: dict[int, list[NewLabel]] = {member.id: [] for member in members}
    names = {member.id: member.name for member in members}
    for row in labels:
        told = NewLabel(
            machine=names[row["machine"]], kind=row["kind"], time=row["time"], detail=row["detail"]
        )
        by_machine[row["machine"]].append(told)
    edges = np.searchsorted(ordered.machine, np.arange(len(members) + 1))
    return tuple(
        judge(
            ordered.times[edges[place] : edges[place + 1]],
            by_machine[member.id],
            use_case,
            before=before.get(member.id),
        )
        for place, member in enumerate(members)
    )


def _examples(membership: Membership, ordered: Tidy, judged: Sequence[Judged], use_case: UseCase) -> Examples:
    lives = [own.lives for own in judged]
    return Examples(
        machines=tuple(member.name for member in membership.members),
        sites=tuple(member.site for member in membership.members),
        faults=use_case.faults.classes if use_case.faults else (),
        names=membership.names,
        units=membership.units,
        machine=ordered.machine,
        times=ordered.times,
        life=np.concatenate([own.number for own in lives]),
        age=np.concatenate([own.age for own in lives]),
        remaining=np.concatenate([own.remaining for own in lives]),
        health=np.concatenate([own.health for own in judged]),
        fault=np.concatenate([own.fault for own in judged]),
        features=ordered.features,
    )


def left_out_in_words(left_out: dict[str, str]) -> str:
    """The first machines that were left out, each with its reason."""
    told = [f"{name}: {reason}" for name, reason in sorted(left_out.items())]
    more = f"; and {len(told) - 3} more" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more


def some(names: Any) -> str:
    """The first few names, and how many more there are."""
    ordered: Sequence[str] = sorted(set(names))
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(ordered[:3]) + more
