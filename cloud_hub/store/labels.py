"""Labels: what people and maintenance systems say happened to a machine.

They never pass through a device. The same label may be imported any number of
times and is kept once; another one of the same machine, kind and moment contradicts
it and is refused, so that nothing that was learnt from ever changes its meaning. A
verdict names the span that it judges, or the alarm, whose span it then takes over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConflictError, HubError, NotFoundError
from cloud_hub.store.database import Connection, Database, load_queries
from wire.clock import EPOCH

QUERIES = load_queries("cloud_hub.store", "labels.sql")
KINDS = ("failure", "maintenance", "verdict")
VERDICTS = ("right", "wrong")
MEANING = ("fault", "verdict", "since", "until", "alarm")  # of the detail; whatever else it holds is a note


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    machine: str
    kind: str  # one of KINDS
    time: datetime  # aware
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a list of labels."""

    new: int
    refused: Mapping[int, HubError]  # by place in the list


def insert(database: Database, labels: Sequence[NewLabel], *, source: str, added: datetime) -> int:
    """Keep all of ``labels`` or none; returns how many were new.

    Raises ``NotFoundError`` for an unknown machine or alarm, ``ConflictError`` for a label that says nothing
    that could be learnt, or the contrary of one that is kept.
    """
    with database.transaction() as connection:
        kept = keep_in(connection, labels, source=source, added=added, faults={})
        for error in kept.refused.values():
            raise error
    return kept.new


def keep(
    database: Database,
    labels: Sequence[NewLabel],
    *,
    source: str,
    added: datetime,
    faults: Mapping[str, frozenset[str]],
) -> Kept:
    """Keep each of ``labels`` that can be kept. ``faults`` are those there are, by class of machine."""
    with database.transaction() as connection:
        return keep_in(connection, labels, source=source, added=added, faults=faults)


def keep_in(
    connection: Connection,
    labels: Sequence[NewLabel],
    *,
    source: str,
    added: datetime,
    faults: Mapping[str, frozenset[str]],
) -> Kept:
    """``keep`` within the caller's transaction: with the act that it belongs to, or not at all."""
    machines = _machines(connection, labels)
    known = _known(connection, labels)
    refused: dict[int, HubError] = {}
    rows: list[dict[str, Any]] = []
    for place, label in enumerate(labels):
        try:
            check(label)
            machine = machines.get(label.machine)
            if machine is None:
                raise NotFoundError("machine", label.machine)
            _check_fault(label, machine["machine_class"], faults)
            complete = _with_span(connection, label, machine["id"])
            _check_known(complete, known)
        except HubError as error:
            refused[place] = error
            continue
        rows.append(_row(complete, machine["id"], source=source, added=added))
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["insert"], rows)
        return Kept(new=max(cursor.rowcount, 0) if rows else 0, refused=refused)


def check(label: NewLabel) -> None:
    """``ConflictError`` says what ``label`` lacks or contradicts in itself."""
    if label.kind not in KINDS:
        raise ConflictError(f"expected a label of kind {', '.join(KINDS)}, got {label.kind!r}")
    _check_since_1970(label.time)
    fault = label.detail.get("fault")
    if fault is not None and not isinstance(fault, str):
        raise ConflictError(f"expected the name of a fault, got {fault!r}")
    if label.kind == "verdict":
        _check_verdict(label)


def _check_verdict(label: NewLabel) -> None:
    told = label.detail
    if told.get("verdict") not in VERDICTS:
        raise ConflictError(f"expected a verdict right or wrong, got {told.get('verdict')!r}")
    if told["verdict"] == "wrong" and told.get("fault") is not None:
        raise ConflictError(f"expected no fault where the alarm was wrong, got {told['fault']!r}")
    if "since" not in told and "alarm" not in told:
        raise ConflictError("expected the span it judges: since (and until), or the alarm's opening time")
    moments = {name: _moment(told[name]) for name in ("since", "until", "alarm") if name in told}
    since, until = moments.get("since", moments.get("alarm")), moments.get("until", label.time)
    assert since is not None, "one of the two is there"
    if not since <= until <= label.time:
        raise ConflictError(
            f"expected since <= until <= time, got {since.isoformat()}, {until.isoformat()} "
            f"and {label.time.isoformat()}"
        )


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ConflictError(f"expected a moment like 2026-09-01T06:30:00Z, got {value!r}") from error
    if moment.tzinfo is None:
        raise ConflictError(f"expected a moment with its zone, got {value!r}")
    _check_since_1970(moment)
    return moment


def _check_since_1970(moment: datetime) -> None:
    """Nobody knows what a machine did before; and there are moments that the store can keep and not tell."""
    if moment < EPOCH:
        raise ConflictError(f"expected a moment since 1970, got {moment.isoformat()}")


def _machines(connection: Connection, labels: Sequence[NewLabel]) -> dict[str, dict[str, Any]]:
    names = sorted({label.machine for label in labels})
    return {row["name"]: row for row in connection.execute(QUERIES["machines"], {"names": names})}


def _known(connection: Connection, labels: Sequence[NewLabel]) -> dict[tuple[str, str, datetime], Any]:
    """The details of the labels that are kept of these machines."""
    names = sorted({label.machine for label in labels})
    rows = connection.execute(QUERIES["known"], {"names": names})
    return {(row["name"], row["kind"], row["time"]): row["detail"] for row in rows}


def _check_fault(label: NewLabel, machine_class: str, faults: Mapping[str, frozenset[str]]) -> None:
    """A class for which no use case tells faults apart may name any."""
    fault, there = label.detail.get("fault"), faults.get(machine_class)
    if fault is not None and there and fault not in there:
        raise ConflictError(
            f"expected a fault of a {machine_class} out of {', '.join(sorted(there))}, got {fault!r}"
        )


def _with_span(connection: Connection, label: NewLabel, machine: int) -> NewLabel:
    """A verdict on an alarm judges from its opening to its close, or to now where it is open yet."""
    if label.kind != "verdict":
        return label
    told = dict(label.detail)
    if "alarm" in told and "since" not in told:
        opened = _moment(told["alarm"])
        row = connection.execute(QUERIES["alarm"], {"machine": machine, "opened": opened}).fetchone()
        if row is None:
            raise NotFoundError("alarm", f"{label.machine} at {opened.isoformat()}")
        told |= {
            "since": opened.isoformat(),
            "until": min(row["closed"] or label.time, label.time).isoformat(),
        }
    told.setdefault("until", label.time.isoformat())
    return replace(label, detail=told)


def _check_known(label: NewLabel, known: dict[tuple[str, str, datetime], Any]) -> None:
    key = (label.machine, label.kind, label.time)
    before = known.setdefault(key, label.detail)
    changed = [name for name in MEANING if before.get(name) != label.detail.get(name)]
    if changed:
        name = changed[0]
        raise ConflictError(
            f"the {label.kind} of {label.machine} at {label.time.isoformat()} is kept with {name} "
            f"{before.get(name)!r}, got {label.detail.get(name)!r}: labels do not change"
        )


def _row(label: NewLabel, machine: int, *, source: str, added: datetime) -> dict[str, Any]:
    return {
        "machine": machine,
        "time": label.time,
        "kind": label.kind,
        "detail": Jsonb(label.detail),
        "source": source,
        "added": added,
    }
