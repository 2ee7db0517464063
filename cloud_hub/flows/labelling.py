"""What a person says of a machine: an alarm was right or wrong, it failed, somebody was at it.

Each is a label, kept by the rules of every label, and an entry in the audit chain, together or not at all.
Saying the same again changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.faults import fault_classes
from cloud_hub.hub import Hub
from cloud_hub.store import labels, verdicts
from cloud_hub.store.database import Connection, Row, load_queries
from cloud_hub.store.fleet import Label
from cloud_hub.store.labels import NewLabel

SQL = load_queries("cloud_hub.flows", "labelling.sql")
EVENTS = ("failure", "maintenance")
LONGEST_NOTE = 500
LONGEST_FAULT = 100  # of a class for which nobody told which faults there are
SLACK = timedelta(minutes=1)  # what a field that shows whole minutes leaves out


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """What is said, and by whom; an empty fault or note says nothing."""

    actor: str
    fault: str = ""
    note: str = ""

    @property
    def detail(self) -> dict[str, Any]:
        told = {"fault": self.fault, "note": self.note}
        return {name: value for name, value in told.items() if value}


def judge(hub: Hub, machine: str, alarm: int, verdict: str, saying: Saying) -> bool:
    """Keep ``verdict``, ``right`` or ``wrong``, on an alarm; False where just that stands already.

    A second verdict stands from now on in place of the first, which stays on record. Raises ``NotFoundError``
    for an unknown machine or alarm, ``ConflictError`` for what cannot be so.
    """
    with hub.database.transaction() as connection:
        found = connection.execute(SQL["alarm"], {"alarm": alarm, "machine": machine}).fetchone()
        if found is None:
            raise NotFoundError("alarm", f"{machine}/{alarm}")
        before = _standing(connection, machine, found)
        told = saying.detail | {"verdict": verdict}
        if before and _meaning(before.detail) == _meaning(told):
            return False
        now = hub.clock.now()
        if found["opened"] > now:
            raise ConflictError("the alarm opened in the future: the device's clock is ahead, judge it later")
        alarm_is = {"alarm": found["opened"].isoformat(), "use_case": found["use_case"]}
        label = NewLabel(machine=machine, kind="verdict", time=now, detail=told | alarm_is)
        _keep(hub, connection, label, saying)
        replaced = {"replaces": {**before.detail, "by": before.source}} if before else {}
        hub.record(
            connection,
            actor=saying.actor,
            action="alarm.judge",
            subject=machine,
            detail=label.detail | replaced,
        )
    return True


def log(hub: Hub, machine: str, kind: str, time: datetime, saying: Saying) -> None:
    """Keep that ``machine`` failed, or that somebody maintained it, at ``time``.

    Raises ``NotFoundError`` for an unknown machine, ``ConflictError`` for what cannot be or is kept already.
    """
    if kind not in EVENTS:
        raise ConflictError(f"expected {' or '.join(EVENTS)}, got {kind[:40]!r}")
    with hub.database.transaction() as connection:
        found = connection.execute(SQL["machine"], {"machine": machine}).fetchone()
        if found is None:
            raise NotFoundError("machine", machine)
        _check_time(hub, machine, found["added"], time)
        label = NewLabel(machine=machine, kind=kind, time=time, detail=saying.detail)
        if not _keep(hub, connection, label, saying):
            raise ConflictError(f"this {kind} of {machine} at {time:%Y-%m-%d %H:%M} UTC is logged already")
        hub.record(
            connection,
            actor=saying.actor,
            action=f"label.{kind}",
            subject=machine,
            detail={"time": time.isoformat(), **label.detail},
        )


def _check_time(hub: Hub, machine: str, added: datetime, time: datetime) -> None:
    now = hub.clock.now()
    if time > now:
        raise ConflictError(
            f"expected a time up to now, {now:%Y-%m-%d %H:%M} UTC, got {time:%Y-%m-%d %H:%M} UTC, "
            "which has not come yet"
        )
    if time < added - SLACK:
        raise ConflictError(
            f"{machine} is known since {added:%Y-%m-%d %H:%M} UTC, got {time:%Y-%m-%d %H:%M} UTC: "
            "what was before comes in with `andon data import`"
        )


def _standing(connection: Connection, machine: str, alarm: Row) -> Label | None:
    rows = connection.execute(SQL["labels"], {"machine": machine, "kind": "verdict"})
    said = verdicts.on_alarm(
        [Label(**row) for row in rows], opened=alarm["opened"], use_case=alarm["use_case"]
    )
    return said[-1] if said else None


def _meaning(detail: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(detail.get(name) or "" for name in ("verdict", "fault", "note"))


def _keep(hub: Hub, connection: Connection, label: NewLabel, saying: Saying) -> bool:
    """Whether it was new."""
    if "\0" in saying.note + saying.fault:
        raise ConflictError("expected text without NUL characters")
    if len(saying.note) > LONGEST_NOTE:
        raise ConflictError(f"expected a note of at most {LONGEST_NOTE} characters, got {len(saying.note)}")
    if len(saying.fault) > LONGEST_FAULT:
        raise ConflictError(
            f"expected at most {LONGEST_FAULT} characters of a fault, got {len(saying.fault)}"
        )
    kept = labels.keep_in(
        connection,
        [label],
        source=saying.actor,
        added=hub.clock.now(),
        faults=fault_classes(hub.config.use_cases).by_class,
    )
    for error in kept.refused.values():
        raise error
    return bool(kept.new)
