"""The updates of one device: takes directives from the network, hands models to the pipeline.

Everything slow happens in one thread of its own. The pipeline only reads what is
to run now and tells what it saw; it never waits for an update. No use case waits
for another's download either: what is pressing elsewhere interrupts it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from edge_agent.engine_facts import EngineFacts
from edge_agent.engine_store import EngineStore
from edge_agent.errors import EdgeError
from edge_agent.identity import Identity
from edge_agent.memory import resident_bytes
from edge_agent.updates import door
from edge_agent.updates.deferral import Judge, never
from edge_agent.updates.disk import Disk
from edge_agent.updates.doorkeeper import Doorkeeper
from edge_agent.updates.engines import SharedEngines
from edge_agent.updates.errors import AbortedError, JournalError, UntrustedError
from edge_agent.updates.golden import DeviceFacts
from edge_agent.updates.installer import PROBATION_POLL_S, Installer
from edge_agent.updates.journal import Journal
from edge_agent.updates.loaded import LoadedRelease, RunnerFactory
from edge_agent.updates.offers import Offers
from edge_agent.updates.parts import Parts
from edge_agent.updates.probation import Limits
from edge_agent.updates.telling import standing
from edge_agent.updates.trial import CRASH, ORDERLY
from edge_agent.updates.trust import Trust
from wire.batch import ReportEvent
from wire.clock import Clock
from wire.engine import EngineKey
from wire.errors import ClockBehindError, WireError
from wire.messages import UseCaseState

FILE = "journal"
IDLE_S = 5.0
STUCK_S = 1.0  # a thread that waits for the network for so long changes no record before it ends

Matrix = npt.NDArray[np.float32]

log = structlog.get_logger()


def journal_file(state_dir: Path) -> Path:
    return state_dir / "updates" / FILE


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
        deferral: Judge = never,
        memory: Callable[[], int | None] = resident_bytes,
        engines: EngineFacts | None = None,  # which shared ones are asked for; None: nothing runs any here
        withdrawn: Callable[[EngineKey], None] = lambda key: None,  # a shared one is to be run no longer
        disk: Disk | None = None,
    ) -> None:
        disk = disk or Disk()
        self._journal = Journal(journal_file(state_dir), disk)
        self._folder = journal_file(state_dir).parent
        self._identity = identity
        self._report = report
        trust = Trust(
            self._folder / "trust",
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
            deferral=deferral,
            memory=memory,
        )
        self._engines = SharedEngines(
            self._folder / "slots",
            facts=engines,
            store=EngineStore(state_dir, disk),
            trust=trust,
            disk=disk,
            tell=self.note,
            withdrawn=withdrawn,
        )
        self._installers: dict[str, Installer] = {}
        self._due: dict[str, float] = {}  # when an installer does its next act
        self._offers = Offers()
        self._looked = 0.0  # when a download last looked at what goes on beside it
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
        self._offers.stop()
        if self._thread.is_alive():
            self._thread.join(STUCK_S)
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
        self._offers.put(use_case, payload)

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
        """For people: where every use case stands and why, what was not let in, what waits to be reported."""
        return standing(self._journal) | {
            "turned_away": self._doorkeeper.turned_away,
            "shared_engines": self._engines.status(),
        }

    def note(self, use_case: str, event: str, reason: str, evidence: Mapping[str, Any]) -> None:
        """Have something reported that moves nothing, such as what runs the network; on disk on return."""
        now_us = self._parts.clock.now_us()
        record = self._journal.record(use_case)
        self._journal.say(
            ReportEvent(
                time_us=now_us,
                use_case=use_case,
                directive_sequence=0,  # it is no outcome of a directive
                state=str(record.state),
                event=event,
                reason=reason,
                release=record.running.release if record.running else "",
                evidence=dict(evidence),
            )
        )

    def turn(self) -> float:
        """Judge what was offered, do one act of each update, hand over reports; how long to rest.

        Where no update has more to do right now, an engine may be fetched.

        The updates' thread does nothing else, over and over.
        """
        self._take_offers()
        now, rest, busy = time.monotonic(), IDLE_S, False
        for use_case, installer in sorted(self._installers.items(), key=lambda item: item[1].rank):
            if self._offers.stopping or (busy and installer.rank):
                rest = 0.0
                break
            if self._due.get(use_case, 0.0) <= now or installer.view.watch is not None:
                wait = self._step(installer)
                self._due[use_case] = time.monotonic() + wait
                busy = busy or not wait
            rest = min(rest, self._due[use_case] - time.monotonic())
        if not busy and not self._offers.stopping:
            rest = min(rest, self._engines.turn(self._journal.records, self._wanted_elsewhere))
        self._hand_over()
        return max(rest, 0.0)

    def _work(self) -> None:
        wait = 0.0
        while not self._offers.wait(wait):
            try:
                wait = self.turn()
            except JournalError as error:
                log.error("updates stand still", reason=str(error))
                wait = IDLE_S
            except Exception:  # the agent goes on predicting, and this thread goes on trying
                log.exception("updates stumbled")
                wait = IDLE_S

    def _take_offers(self) -> None:
        for use_case, payload in self._offers.take():
            try:
                self._take(use_case, payload)
            except ClockBehindError as error:
                self._put_off(use_case, payload, error)
            except (WireError, UntrustedError):
                continue  # the doorkeeper has reported it
            except EdgeError as error:  # a hub that is away, a disk that is full: the hub says it once
                self._put_off(use_case, payload, error)

    def _put_off(self, use_case: str, payload: bytes, error: Exception) -> None:
        log.info("directive waits", use_case=use_case, reason=str(error))
        self._offers.put_off(use_case, payload)

    def _take(self, use_case: str, payload: bytes) -> None:
        admitted = self._doorkeeper.judge(use_case, payload)
        if admitted is not None:
            self._installer(use_case).follow(*admitted)
            self._due[use_case] = 0.0

    def _step(self, installer: Installer) -> float:
        try:
            wait = installer.step(self._interrupted)
        except AbortedError:
            return 0.0
        return float("inf") if wait is None else wait

    def _interrupted(self) -> bool:
        """Whether a download is to be given up for now: the agent ends, or something else is pressing."""
        if self._offers.stopping:
            return True
        if any(self._doorkeeper.would_follow(*offer) for offer in self._offers.waiting):
            return True
        if time.monotonic() - self._looked < PROBATION_POLL_S:
            return False
        self._looked = time.monotonic()
        pressing = [use_case for use_case, installer in self._installers.items() if installer.presses]
        self._due.update(dict.fromkeys(pressing, 0.0))
        return bool(pressing)

    def _wanted_elsewhere(self) -> bool:
        """Whether an engine has to wait: for what interrupts downloads, and for a download of an update."""
        now = time.monotonic()
        waiting = (self._due.get(use_case, 0.0) for use_case, each in self._installers.items() if each.rank)
        return any(due <= now for due in waiting) or self._interrupted()

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
