"""From readings to batches on disk: what was taken, its position and the pipeline's memory in one commit.

Commits are grouped: one sync serves everything that came within ``max_age_s`` or
``max_rows``. One lock guards the open columns; reports of updates do not wait for it.
"""

import threading
import time
from dataclasses import dataclass, replace

import structlog

from edge_agent.absence import Absence
from edge_agent.captures import Captures
from edge_agent.columns import Columns
from edge_agent.config import CaptureSettings, UplinkSettings
from edge_agent.draft import Draft
from edge_agent.errors import OutboxFullError
from edge_agent.gaps import GapNotes
from edge_agent.machine_line import MachineLine
from edge_agent.outbox import Outbox
from edge_agent.outbox_losses import DISK_FULL
from edge_agent.phases import Phases
from edge_agent.pipeline import DEVICE, Counters, Pipeline
from edge_agent.releases import NoReleases, Releases
from edge_agent.tables import KnownTables
from edge_agent.watcher import Watcher
from wire.batch import BatchClass, ReportEvent
from wire.clock import Clock
from wire.feed import Hello, Reading

log = structlog.get_logger()

GROUP_S = 0.1  # between two commits, however many rows come
MOST_GROUPED = 20  # times max_rows, which are committed at once
LARGEST = 1 << 20  # bytes in open columns: a quarter of what the hub accepts in one batch
RETRY_S = 0.2  # while the outbox refuses
LOSSES_EVERY_S = 10.0
CAPTURE_DROPPED = "capture-dropped"  # in a gap: a raw window that no room was left for, and nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the outbox has of the source."""

    position: int
    newest_us: int  # time of the newest reading; 0: none yet
    counters: Counters


class Recorder:
    """The feed's sink; thread-safe."""

    def __init__(
        self,
        *,
        source: str,
        outbox: Outbox,
        settings: UplinkSettings,
        clock: Clock,
        watcher: Watcher,
        phases: Phases,
        captures: CaptureSettings | None = None,
        position: int | None = None,
    ) -> None:
        """``position`` stands in for the outbox's, where that was lost."""
        saved = outbox.states()
        self.tables = KnownTables(saved)
        self.full = ""  # why the outbox refuses, while it does
        self._source = source
        self._outbox = outbox
        self._settings = settings
        self._clock = clock
        self._watcher = watcher
        self._phases = phases
        self._releases: Releases = NoReleases()
        self._lock = threading.Condition()
        self._stopping = False
        self._columns = Columns()
        self._gaps = GapNotes()
        self._gaps.restore(saved.get("gaps", b"[]"))
        self._counters = Counters()
        self._counters.restore(saved.get("counters", b"{}"))
        self._captures = Captures((captures or CaptureSettings()).routine_hours, saved)
        self._position = outbox.positions().get(source, 0) if position is None else position
        self._absence = Absence(int(saved.get("newest", b"0")))
        self._image_us = self._absence.newest_us  # where an outbox out of an older image ends
        self._moved = False  # something was taken since the last commit
        self._opened = self._committed = self._tried = self._losses_told = time.monotonic()
        self._pipeline = self._make_pipeline()
        self._note_stored()

    @property
    def last_error(self) -> str:
        return self.full or self._pipeline.last_error

    def use(self, releases: Releases) -> None:
        """Predict with these from now on."""
        with self._lock:
            self._releases = releases
            self._pipeline.use(releases)

    def capture(self, machine: str, command: str) -> bool:
        """Keep the next windows of ``machine`` raw, as ``command`` asks; False where it has no waveforms.

        For any thread; it waits for nothing.
        """
        known = any(line.machine.name == machine and line.waveforms for line in self._pipeline.lines)
        if known:
            self._captures.ask(machine, command)
        return known

    def line_of(self, machine_class: str) -> MachineLine | None:
        """The first machine of this class that features are made of."""
        fitting = (line for line in self._pipeline.lines if line.machine.machine_class == machine_class)
        return next((line for line in fitting if line.extractor is not None), None)

    def position(self) -> int:
        return self._position

    def hello(self, hello: Hello) -> None:
        with self._lock:
            if hello.table != self.tables.current:
                self._change_table(hello)
            if hello.replayable:
                self._absence.forget()
            else:
                self._position = 0  # a live source counts anew at every connection

    def take(self, reading: Reading) -> None:
        """Blocks while the outbox refuses: the source waits, nothing is lost.

        An outbox that drops, and cannot even do that on a full disk, makes nobody wait: readings
        are judged for alarms, and what memory cannot keep of them is a gap.
        """
        with self._lock:
            if self._outbox.refuses:
                self._wait_for_room()
            elif self.full and self._columns.bytes >= LARGEST:
                self._shed()
            if self._stopping:
                return  # not taken: the position stays, and the source gives it again
            if missed := self._absence.end(reading.time_us):
                self._gaps.note(DEVICE, *missed)
            if not self._moved:
                self._opened, self._moved = time.monotonic(), True
            self._pipeline.take(reading)
            self._position = reading.position
            self._absence.note(reading.time_us, now_us=self._clock.now_us())
            if self._due():
                self._try_commit()

    def ended(self, position: int) -> None:
        self.flush()

    def lost(self) -> None:
        """The source went away; if it is a live one, what it says meanwhile is missed."""
        with self._lock:
            self._absence.begin("source-away")

    def note_gap(self, reason: str, from_us: int, to_us: int) -> None:
        with self._lock:
            self._gaps.note(DEVICE, reason, from_us, to_us)
            self._moved = True

    def report(self, event: ReportEvent) -> None:
        """Returns when ``event`` is on disk."""
        draft = Draft(batch_class=BatchClass.ALARM, table_hash=self.tables.hash, events=(event,))
        self._outbox.commit([draft], now_us=self._clock.now_us())
        self._watcher.committed()

    def tick(self) -> None:
        """Commit what has waited long enough; to be called several times a second."""
        with self._lock:
            if self._due():
                self._try_commit()
        self._outbox.tend()

    def flush(self) -> None:
        """Commit whatever there is."""
        with self._lock:
            if self._moved:
                self._try_commit(every_gap=True)

    def stop(self) -> None:
        """Take no more readings, store what was taken."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self.flush()

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(
            self.tables.current,
            columns=self._columns,
            gaps=self._gaps,
            counters=self._counters,
            releases=self._releases,
            phases=self._phases,
            captures=self._captures,
            saved=self._outbox.states(),
        )

    def _change_table(self, hello: Hello) -> None:
        """What was taken under the old table is stored under it."""
        self._try_commit(every_gap=True)
        self._wait_for_room()
        if not self._stopping:
            states = self.tables.adopt(hello.table)
            self._keep_states(states)
            self._pipeline = self._make_pipeline()
            self._watcher.table_changed()

    def _note_image(self, now_us: int) -> None:
        """An outbox out of an older image tells from where on readings may be missing, or there twice."""
        if self._outbox.outdated and self._image_us:
            log.error("outbox older than what the hub has", since_us=self._image_us)
            self._gaps.note(DEVICE, "image-restored", self._image_us, now_us)
            self._image_us = 0

    def _keep_states(self, states: dict[str, bytes]) -> None:
        while not self._stopping:
            try:
                self._outbox.commit([], now_us=self._clock.now_us(), states=states)
            except OutboxFullError:
                self._lock.wait(RETRY_S)
            else:
                return

    def _shed(self) -> None:
        """Give up the readings that wait in memory, not the events; the gap tells of them."""
        span = self._columns.shed()
        if span is not None:
            self._gaps.note(DEVICE, DISK_FULL, *span)

    def _wait_for_room(self) -> None:
        while self.full and not self._stopping:
            self._lock.wait(RETRY_S)
            self._try_commit()

    def _due(self) -> bool:
        if not self._moved:
            return False
        now, rows, limit = time.monotonic(), self._columns.rows, self._settings.max_rows
        if self.full:
            return now - self._tried >= RETRY_S
        pressing = rows >= limit or self._columns.urgent
        return (
            now - self._opened >= self._settings.max_age_s
            or (pressing and now - self._committed >= GROUP_S)
            or rows >= MOST_GROUPED * limit
            or self._columns.bytes >= LARGEST
        )

    def _try_commit(self, *, every_gap: bool = False) -> None:
        """What a full outbox refuses stays in the columns, but for captures: nothing else waits for them."""
        self._tried = time.monotonic()
        try:
            self._commit(every_gap=every_gap)
        except OutboxFullError as error:
            if self._give_captures_up():
                self._try_commit(every_gap=every_gap)
                return
            if not self.full:
                log.warning("outbox full", reason=str(error))
            self.full = str(error)
        else:
            self.full = ""
            self._watcher.committed()

    def _give_captures_up(self) -> bool:
        lost = self._columns.shed_captures()
        for machine, time_us in lost:
            self._gaps.note(machine, CAPTURE_DROPPED, time_us)
        return bool(lost)

    def _commit(self, *, every_gap: bool) -> None:
        now, now_us = time.monotonic(), self._clock.now_us()
        self._note_image(now_us)
        for gap in self._gaps.due(now, time_us=now_us, every=every_gap):
            self._columns.add_event(gap)
            self._counters.gaps += 1
        tell_losses = self._outbox.has_losses and now - self._losses_told >= LOSSES_EVERY_S
        backlog = self._watcher.behind()
        self._outbox.commit(
            self._columns.drafts(self.tables.hash, backlog=backlog),
            now_us=now_us,
            positions={self._source: self._position},
            states=self._memory(),
            tell_losses=tell_losses,
        )
        self._columns.clear()
        self._pipeline.committed()
        self._captures.committed()
        self._moved, self._committed = False, now
        self._losses_told = now if tell_losses else self._losses_told
        self._note_stored()

    def _memory(self) -> dict[str, bytes]:
        return (
            self._pipeline.memory()
            | self._captures.memory()
            | {
                "gaps": self._gaps.to_bytes(),
                "counters": self._counters.to_bytes(),
                "newest": str(self._absence.newest_us).encode(),
            }
        )

    def _note_stored(self) -> None:
        self.stored = Stored(
            position=self._position, newest_us=self._absence.newest_us, counters=replace(self._counters)
        )
