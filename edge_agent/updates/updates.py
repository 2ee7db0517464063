"""The updates of one device: takes directives from the network, hands models to the pipeline.

Everything slow happens in one thread of its own. The pipeline only reads what is
to run now and tells what it saw; it never waits for an update.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from edge_agent.identity import Identity
from edge_agent.updates import door
from edge_agent.updates.disk import Disk
from edge_agent.updates.doorkeeper import Doorkeeper
from edge_agent.updates.errors import AbortedError, JournalError, RetryError, UntrustedError
from edge_agent.updates.golden import DeviceFacts
from edge_agent.updates.installer import CRASH, ORDERLY, Installer, Parts
from edge_agent.updates.journal import Journal
from edge_agent.updates.loaded import LoadedRelease, RunnerFactory
from edge_agent.updates.probation import Limits
from edge_agent.updates.trust import Trust
from wire.batch import ReportEvent
from wire.clock import Clock
from wire.errors import ClockBehindError, WireError
from wire.messages import UseCaseState

MOST_OFFERS = 64  # waiting; older ones make room, the hub sends its wish again
IDLE_S = 5.0
AGAIN_S = 10.0  # for an offer that could not be judged yet

Matrix = npt.NDArray[np.float32]

log = structlog.get_logger()


class Updates:
    """``report`` must return only when the report is safe; one that raises gets it again later.

    After a crash a report may come a second time, with equal fields.
    """

    def __init__(
        self,
        state_dir: Path,
        identity: Identity,
        clock: Clock,
        settings: Limits,
        device: DeviceFacts,
        *,
        report: Callable[[ReportEvent], None],
        make_runner: RunnerFactory,
        disk: Disk | None = None,
    ) -> None:
        folder = state_dir / "updates"
        disk = disk or Disk()
        self._folder = folder
        self._identity = identity
        self._report = report
        self._journal = Journal(folder / "journal", disk)
        trust = Trust(
            folder / "trust",
            url=identity.repository_url,
            root=identity.root,
            tls=identity.repository_tls,
            disk=disk,
        )
        self._doorkeeper = Doorkeeper(identity=identity, journal=self._journal, trust=trust, clock=clock)
        self._parts = Parts(
            journal=self._journal,
            trust=trust,
            disk=disk,
            clock=clock,
            limits=settings,
            device=device,
            make_runner=make_runner,
        )
        self._installers: dict[str, Installer] = {}
        self._offers: deque[tuple[str, bytes]] = deque(maxlen=MOST_OFFERS)
        self._again: dict[str, tuple[float, bytes]] = {}  # offers to judge later, and when
        self._due: dict[str, float] = {}  # when an installer does its next act
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="updates", daemon=True)

    def start(self) -> None:
        """Bring up what ran before, then listen to offers; what runs is known when this returns."""
        self.bring_up()
        self._thread.start()

    def bring_up(self) -> None:
        """Load what ran before, whatever ended the agent."""
        self._journal.raise_floor(door.enrolled_us(self._identity))
        for use_case in self._journal.records:
            self._installer(use_case).recover()

    def stop(self, *, crashed: bool = False) -> None:
        """End the thread; ``crashed`` says that the agent ends because something broke."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        try:
            for installer in self._installers.values():
                installer.part(CRASH if crashed else ORDERLY)
        except JournalError as error:  # the next start takes it for a power cut
            log.error("goodbye could not be noted", reason=str(error))

    def running(self) -> dict[str, LoadedRelease]:
        """By use case, what to predict with now."""
        views = {use_case: installer.view for use_case, installer in dict(self._installers).items()}
        return {use_case: view.running for use_case, view in views.items() if view.running is not None}

    def shadow(self, use_case: str) -> LoadedRelease | None:
        """The old model, while a new one is on probation: to be run on the same features."""
        installer = self._installers.get(use_case)
        return installer.view.shadow if installer else None

    def observe(
        self,
        use_case: str,
        features: Matrix,
        outputs: Matrix | None,
        old_outputs: Matrix | None,
        *,
        seconds: float,
        error: Exception | None = None,
    ) -> None:
        """Tell one prediction [n, k] by the running model, and by the shadow; costs microseconds."""
        installer = self._installers.get(use_case)
        watch = installer.view.watch if installer else None
        if watch is not None:
            watch.count(len(np.atleast_2d(features)), outputs, old_outputs, seconds, error)

    def offer(self, use_case: str, payload: bytes) -> None:
        """Take the bytes of a directive; they are judged in the updates' own thread."""
        with self._changed:
            self._offers.append((use_case, payload))
            self._changed.notify_all()

    def use_case_states(self) -> tuple[UseCaseState, ...]:
        """What the birth says of every use case."""
        return tuple(
            UseCaseState(
                use_case=use_case,
                accepted_sequence=record.sequence,
                release=record.running.release if record.running else "",
                state=str(record.state),
            )
            for use_case, record in sorted(self._journal.records.items())
        )

    def status(self) -> dict[str, Any]:
        """For people: every use case's record, why it is there, and what waits to be reported."""
        return {
            "use_cases": [record.to_fields() for _, record in sorted(self._journal.records.items())],
            "reports_waiting": len(self._journal.unsent()),
            "time_floor_us": self._journal.floor_us,
        }

    def turn(self) -> float:
        """Judge what was offered, do one act of each update, hand over reports; how long to rest.

        The updates' thread does nothing else, over and over.
        """
        self._take_offers()
        now, rest = time.monotonic(), IDLE_S
        for use_case, installer in self._installers.items():
            if self._due.get(use_case, 0.0) <= now or installer.view.watch is not None:
                self._due[use_case] = time.monotonic() + self._step(use_case, installer)
            rest = min(rest, self._due[use_case] - time.monotonic())
        self._hand_over()
        return max(rest, 0.0)

    def _work(self) -> None:
        wait = 0.0
        while not self._wait(wait):
            try:
                wait = self.turn()
            except JournalError as error:
                log.error("updates stand still", reason=str(error))
                wait = IDLE_S
            except Exception:  # the agent goes on predicting, and this thread goes on trying
                log.exception("updates stumbled")
                wait = IDLE_S

    def _wait(self, seconds: float) -> bool:
        """Sleep until something is offered or ``seconds`` have passed; whether to end."""
        with self._changed:
            if seconds > 0 and not self._offers and not self._stopping:
                self._changed.wait(seconds)
            return self._stopping

    def _take_offers(self) -> None:
        now = time.monotonic()
        again = [(use_case, payload) for use_case, (due, payload) in self._again.items() if due <= now]
        with self._changed:
            offers = again + list(self._offers)
            self._offers.clear()
        for use_case, payload in offers:
            self._again.pop(use_case, None)
            try:
                self._take(use_case, payload)
            except (ClockBehindError, RetryError) as error:
                log.info("directive waits", use_case=use_case, reason=str(error))
                self._again[use_case] = (time.monotonic() + AGAIN_S, payload)
            except (WireError, UntrustedError):
                continue  # the doorkeeper has reported it

    def _take(self, use_case: str, payload: bytes) -> None:
        admitted = self._doorkeeper.judge(use_case, payload)
        if admitted is not None:
            self._installer(use_case).follow(*admitted)
            self._due[use_case] = 0.0

    def _step(self, use_case: str, installer: Installer) -> float:
        try:
            wait = installer.step(lambda: self._interrupted(use_case))
        except AbortedError:
            return 0.0
        return float("inf") if wait is None else wait

    def _interrupted(self, use_case: str) -> bool:
        """Whether a download is to be given up: the agent ends, or a newer directive waits."""
        with self._changed:
            waiting = [payload for name, payload in self._offers if name == use_case]
            if self._stopping:
                return True
        return any(self._doorkeeper.would_follow(use_case, payload) for payload in waiting)

    def _hand_over(self) -> None:
        for number, report in self._journal.unsent():
            try:
                self._report(report)
            except Exception as error:  # whatever the outbox raises: the report stays here
                log.warning("report waits", reason=str(error))
                return
            self._journal.sent(number)

    def _installer(self, use_case: str) -> Installer:
        if use_case not in self._installers:
            self._installers[use_case] = Installer(use_case, self._folder / "slots" / use_case, self._parts)
        return self._installers[use_case]
