"""The journal: what an update is about to do, durable before it is done.

One line an entry: a checksum and a JSON object, synced before the call returns.
A line carries the new record of a use case together with the reports it causes,
so that a change without its report cannot exist. A torn line, as power loss
leaves it, counts as not written. On opening it is rewritten to what is known.
"""

import json
import threading
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import JournalError
from edge_agent.updates.record import Record
from wire.batch import ReportEvent

ENTRIES_KEPT = 400  # lines before it is rewritten in place of growing


class Journal:
    """The journal in one file; calls may come from any thread."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._reports: dict[int, ReportEvent] = {}
        self._next_report = 1
        self._floor_us = 0
        self._lines = 0
        disk.ensure_folder(path.parent)
        self._read()
        self._rewrite()

    @property
    def records(self) -> Mapping[str, Record]:
        with self._lock:
            return MappingProxyType(dict(self._records))

    @property
    def floor_us(self) -> int:
        """The last time that was trusted: clocks below it are wrong."""
        return self._floor_us

    def record(self, use_case: str) -> Record:
        with self._lock:
            return self._records.get(use_case) or Record(use_case=use_case)

    def put(self, record: Record, *reports: ReportEvent) -> None:
        """Make ``record`` the truth, and its reports due; durable on return."""
        self._enter({"record": record.to_fields(), "reports": [asdict(report) for report in reports]})

    def say(self, report: ReportEvent) -> None:
        """Make a report due that changes no record."""
        self._enter({"reports": [asdict(report)]})

    def raise_floor(self, time_us: int) -> None:
        if time_us > self._floor_us:
            self._enter({"floor_us": time_us})

    def unsent(self) -> list[tuple[int, ReportEvent]]:
        """Reports not handed over yet, oldest first, each with the number :meth:`sent` wants."""
        with self._lock:
            return sorted(self._reports.items())

    def sent(self, number: int) -> None:
        """The report is in safe hands; a crash before this call hands it over once more."""
        self._enter({"sent": number})

    def tail(self, use_case: str) -> dict[str, Any]:
        """The record of a use case, for people."""
        return self.record(use_case).to_fields()

    def _enter(self, entry: Mapping[str, Any]) -> None:
        with self._lock:
            try:
                if self._lines >= ENTRIES_KEPT:
                    self._rewrite()
                self._disk.append(self._path, _line(entry))
            except OSError as error:
                self._lines = ENTRIES_KEPT  # it may end in half a line: the next entry rewrites it first
                raise JournalError(f"{self._path} cannot be written: {error}") from error
            self._apply(entry)
            self._lines += 1

    def _apply(self, entry: Mapping[str, Any]) -> None:
        self._next_report = max(self._next_report, int(entry.get("next_report", 0)))
        if "record" in entry:
            record = Record.from_fields(entry["record"])
            self._records[record.use_case] = record
        for fields in entry.get("reports", ()):
            self._reports[self._next_report] = ReportEvent(**fields)
            self._next_report += 1
        if "sent" in entry:
            self._reports.pop(int(entry["sent"]), None)
        self._floor_us = max(self._floor_us, int(entry.get("floor_us", 0)))

    def _read(self) -> None:
        if not self._path.exists():
            return
        for line in self._path.read_bytes().split(b"\n"):
            entry = _entry(line)
            if entry is not None:  # a later line carries the whole record again
                self._apply(entry)

    def _rewrite(self) -> None:
        """One line for what is known: reports keep their numbers."""
        entries: list[Mapping[str, Any]] = [{"record": r.to_fields()} for r in self._records.values()]
        for number, report in sorted(self._reports.items()):
            entries.append({"next_report": number, "reports": [asdict(report)]})
        entries.append({"floor_us": self._floor_us, "next_report": self._next_report})
        self._disk.write(self._path, b"".join(map(_line, entries)))
        self._lines = len(entries)


def _line(entry: Mapping[str, Any]) -> bytes:
    body = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _entry(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, None where it is torn or empty."""
    checksum, _, body = line.partition(b" ")
    if not body or checksum != b"%08x" % zlib.crc32(body):
        return None
    entry: dict[str, Any] = json.loads(body)
    return entry
