"""The journal: what an update is about to do, durable before it is done.

One line an entry, synced before the call returns. A line carries the new record
of a use case together with the reports it causes, so that a change without its
report cannot exist. On opening it is rewritten to what is known.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType

import structlog

from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import JournalError
from edge_agent.updates.journalled import Entry, Journalled, Step, to_line
from edge_agent.updates.record import Record
from wire.batch import ReportEvent

ENTRIES_KEPT = 400  # lines before it is rewritten in place of growing

log = structlog.get_logger()


class Journal:
    """The journal in one file; calls may come from any thread."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()
        self._lines = 0
        disk.ensure_folder(path.parent)
        self._known = Journalled.read(path)
        try:
            self._rewrite()
        except OSError as error:  # a full disk, on which the agent runs all the same: what was read holds
            log.warning("journal not rewritten", reason=str(error))
            self._lines = ENTRIES_KEPT

    @property
    def records(self) -> Mapping[str, Record]:
        with self._lock:
            return MappingProxyType(dict(self._known.records))

    @property
    def floor_us(self) -> int:
        """The last time that was trusted: clocks below it are wrong."""
        return self._known.floor_us

    def record(self, use_case: str) -> Record:
        with self._lock:
            return self._known.records.get(use_case) or Record(use_case=use_case)

    def steps(self, use_case: str) -> Sequence[Step]:
        """What happened to it lately, oldest first."""
        with self._lock:
            return self._known.steps(use_case)

    def put(self, record: Record, *reports: ReportEvent) -> None:
        """Make ``record`` the truth, and its reports due; durable on return."""
        self._enter({"record": record.to_fields(), "reports": [asdict(report) for report in reports]})

    def say(self, report: ReportEvent) -> None:
        """Make a report due that changes no record."""
        self._enter({"reports": [asdict(report)]})

    def raise_floor(self, time_us: int) -> None:
        if time_us > self.floor_us:
            self._enter({"floor_us": time_us})

    def unsent(self) -> list[tuple[int, ReportEvent]]:
        """Reports not handed over yet, oldest first, each with the number :meth:`sent` wants."""
        with self._lock:
            return self._known.unsent()

    def sent(self, number: int) -> None:
        """The report is in safe hands; a crash before this call hands it over once more."""
        self._enter({"sent": number})

    def _enter(self, entry: Entry) -> None:
        with self._lock:
            try:
                if self._lines >= ENTRIES_KEPT:
                    self._rewrite()
                self._disk.append(self._path, to_line(entry))
            except OSError as error:
                self._lines = ENTRIES_KEPT  # it may end in half a line: the next entry rewrites it first
                raise JournalError(f"{self._path} cannot be written: {error}") from error
            self._known.apply(entry)
            self._lines += 1

    def _rewrite(self) -> None:
        lines = [to_line(entry) for entry in self._known.entries()]
        self._disk.write(self._path, b"".join(lines))
        self._lines = len(lines)
