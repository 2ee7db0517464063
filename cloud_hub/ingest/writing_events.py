"""Alarms, gaps and reports into the store, within the caller's transaction; each in the order it happened."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud_hub.ingest.ledger import QUERIES as PROTOCOL
from cloud_hub.ingest.ledger import Stream, note_missing
from cloud_hub.ingest.rounds import rounds
from cloud_hub.ingest.writing import QUERIES, Storable
from cloud_hub.store.database import Connection
from cloud_hub.store.epochs import to_store
from wire.batch import AlarmEvent, GapEvent, ReportEvent
from wire.clock import to_datetime

RUNNING = frozenset({"probation", "committed"})  # states in which the reported release runs


def gap_streams(batches: Sequence[Storable]) -> set[Stream]:
    """The epochs of which a device says that sequences will never come; their marks must be locked."""
    return {
        (item.key.device, to_store(event.epoch))
        for item in batches
        for event in item.judged.events
        if isinstance(event, GapEvent) and event.first_sequence
    }


def write_events(
    connection: Connection, batches: Sequence[Storable], marks: Mapping[Stream, int], now: datetime
) -> None:
    """Store every event of ``batches``; ``marks`` holds the locked mark of each of ``gap_streams``."""
    _write_gaps(connection, batches, marks, now)
    _write_alarms(connection, batches)
    _write_reports(connection, batches, now)


def _write_gaps(
    connection: Connection, batches: Sequence[Storable], marks: Mapping[Stream, int], now: datetime
) -> None:
    for item in batches:
        for event in item.judged.events:
            if not isinstance(event, GapEvent):
                continue
            machine = int(item.machines[event.machine]) if event.machine >= 0 else None
            times = (_moment(event.from_us), _moment(event.to_us))
            if event.first_sequence:
                stream = (item.key.device, to_store(event.epoch))
                note_missing(
                    connection,
                    stream,
                    event,
                    mark=marks[stream],
                    machine=machine,
                    times=times,
                    now=now,
                )
            else:
                values = {"device": item.key.device, "epoch": None, "first": None, "last": None}
                of = {"machine": machine, "from_time": times[0], "to_time": times[1], "now": now}
                connection.execute(PROTOCOL["insert_gap"], {**values, **of, "reason": event.reason})


def _write_alarms(connection: Connection, batches: Sequence[Storable]) -> None:
    rows: list[tuple[AlarmEvent, int]] = [
        (event, int(item.machines[event.machine]))
        for item in batches
        for event in item.judged.events
        if isinstance(event, AlarmEvent)
    ]
    rows.sort(key=lambda row: (row[1], row[0].use_case, row[0].opened_us, row[0].time_us))
    values = [
        {
            "machine": machine,
            "use_case": event.use_case,
            "release": event.release,
            "opened": to_datetime(event.opened_us),
            "closed": to_datetime(event.time_us) if event.state == "closed" else None,
            "severity": event.severity,
            "message": event.message,
        }
        for event, machine in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(QUERIES["alarm"], values)


def _write_reports(connection: Connection, batches: Sequence[Storable], now: datetime) -> None:
    rows: list[tuple[ReportEvent, int]] = [
        (event, item.key.device)
        for item in batches
        for event in item.judged.events
        if isinstance(event, ReportEvent)
    ]
    rows.sort(key=lambda row: (row[1], row[0].use_case, row[0].time_us))
    told = [_report(event, device) for event, device in rows]
    if told:
        connection.execute(QUERIES["reports"], {**_columns(told), "now": now})
    for together in rounds(told, lambda report: (report["device"], report["use_case"])):
        connection.execute(QUERIES["reported_releases"], _columns(together))


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The same values, a list a name."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _report(event: ReportEvent, device: int) -> dict[str, Any]:
    return {
        "device": device,
        "use_case": event.use_case,
        "directive_sequence": event.directive_sequence,
        "state": event.state,
        "event": event.event,
        "reason": event.reason,
        "release": event.release,
        "running": event.release if event.state in RUNNING else "",
        "rollout": event.rollout,
        "correlation": event.correlation,
        "evidence": json.dumps(event.evidence),
        "time": to_datetime(event.time_us),
    }


def _moment(time_us: int) -> datetime | None:
    return to_datetime(time_us) if time_us else None
