"""What the lines of a journal add up to: records, reports that are due, the last steps of each use case.

One line is a checksum and a JSON object. A line that is torn counts as not written.
"""

import json
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from edge_agent.updates.record import Record
from wire.batch import ReportEvent
from wire.clock import readable

STEPS_KEPT = 20  # of a use case

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to a directive of this device, as it was reported."""

    time_us: int
    directive_sequence: int
    release: str
    state: str
    event: str
    reason: str

    @classmethod
    def of(cls, report: ReportEvent) -> Self:
        return cls(**{name: getattr(report, name) for name in cls.__dataclass_fields__})

    def plain(self) -> dict[str, Any]:
        """For people and programs: the time in UTC, ISO 8601."""
        fields = asdict(self)
        return {"time": readable(fields.pop("time_us"))} | fields


class Journalled:
    """Not thread-safe."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.reports: dict[int, ReportEvent] = {}  # not handed over yet, by number
        self.floor_us = 0  # the last time that was trusted
        self._steps: dict[str, deque[Step]] = {}
        self._next_report = 1

    @classmethod
    def read(cls, path: Path) -> Self:
        """Of the journal in ``path``, which may be written meanwhile; empty where there is none."""
        found = cls()
        if path.exists():
            for line in path.read_bytes().split(b"\n"):
                entry = _entry(line)
                if entry is not None:  # a later line carries the whole record again
                    found.apply(entry)
        return found

    def unsent(self) -> list[tuple[int, ReportEvent]]:
        """By number, oldest first."""
        return sorted(self.reports.items())

    def steps(self, use_case: str) -> Sequence[Step]:
        """The last ones, oldest first."""
        return tuple(self._steps.get(use_case, ()))

    def apply(self, entry: Entry) -> None:
        self._next_report = max(self._next_report, int(entry.get("next_report", 0)))
        if "record" in entry:
            record = Record.from_fields(entry["record"])
            self.records[record.use_case] = record
        for fields in entry.get("reports", ()):
            self._note(ReportEvent(**fields))
        for use_case, steps in entry.get("steps", {}).items():
            self._steps[use_case] = deque((Step(**fields) for fields in steps), STEPS_KEPT)
        if "sent" in entry:
            self.reports.pop(int(entry["sent"]), None)
        self.floor_us = max(self.floor_us, int(entry.get("floor_us", 0)))

    def entries(self) -> Iterator[Entry]:
        """As few as say all of it: reports keep their numbers, and steps are not taken twice."""
        for record in self.records.values():
            yield {"record": record.to_fields()}
        for number, report in self.unsent():
            yield {"next_report": number, "reports": [asdict(report)]}
        for use_case, steps in self._steps.items():
            yield {"steps": {use_case: [asdict(step) for step in steps]}}
        yield {"floor_us": self.floor_us, "next_report": self._next_report}

    def _note(self, report: ReportEvent) -> None:
        self.reports[self._next_report] = report
        self._next_report += 1
        if report.directive_sequence:  # others are of strangers, who could push everything else out
            self._remember(report.use_case, Step.of(report))

    def _remember(self, use_case: str, step: Step) -> None:
        """What happens again and again, such as a restart every night, is kept once."""
        steps = self._steps.setdefault(use_case, deque(maxlen=STEPS_KEPT))
        if not steps or replace(steps[-1], time_us=step.time_us) != step:
            steps.append(step)


def to_line(entry: Entry) -> bytes:
    body = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _entry(line: bytes) -> dict[str, Any] | None:
    """The entry of a line, None where it is torn or empty."""
    checksum, _, body = line.partition(b" ")
    if not body or checksum != b"%08x" % zlib.crc32(body):
        return None
    entry: dict[str, Any] = json.loads(body)
    return entry
