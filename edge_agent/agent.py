"""The agent: its parts kept running, and stopped so that nothing is left half said.

Threads: the feed reads and records, the uplink speaks with the hub, the updates
install, the runners bring back what networks run better in, the renewal keeps the certificate
from ending; this one commits what has waited long enough and writes the status. A part that
breaks ends the agent with its reason, for the host to start it anew.
"""

import gc
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import structlog

from edge_agent import selftest, status
from edge_agent.config import AgentConfig
from edge_agent.description import describe
from edge_agent.errors import EdgeError
from edge_agent.identity import Identity
from edge_agent.lock import held
from edge_agent.parts import Parts

TICK_S = 0.1
STATUS_S = 1.0
UPDATES_STOP_S = 1.5

log = structlog.get_logger()


class Agent:
    """One per process and state directory."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        self._clock = config.time()
        self._identity = Identity.load(config)
        self._started_us = self._clock.now_us()
        self._stopping = threading.Event()
        self._findings: list[selftest.Finding] = []
        self._unwritten = ""  # why the last status is not on disk
        self._untold = ""  # why the status cannot be written, while it cannot

    def run(self) -> None:
        """Block until SIGTERM or SIGINT; ``EdgeError`` where a part broke that is needed."""
        with held(self._config.state_dir), _signals(self._stopping):
            self._parts = Parts(self._config, self._identity, self._clock, self_test=self._begin_self_test)
            crashed = True
            try:
                self._start()
                self._watch()
                crashed = False
            finally:
                self._stop(crashed=crashed)

    def _start(self) -> None:
        self._parts.updates.start()
        self._parts.runners.start()
        self._parts.recorder.use(self._parts.updates)
        self._parts.uplink.start()
        self._parts.renewal.start()
        _settle_memory()
        self._parts.feed.start()
        log.info("running", device=self._config.device, epoch=str(self._parts.outbox.epoch))

    def _watch(self) -> None:
        told = 0.0
        while not self._stopping.wait(TICK_S):
            self._parts.recorder.tick()
            self._parts.inference.hand_over(self._parts.updates.note)
            if time.monotonic() - told >= STATUS_S:
                told = time.monotonic()
                self._write_status("running")
            self._check_parts()

    def _check_parts(self) -> None:
        for part in (self._parts.feed, self._parts.uplink):
            if part.failure is not None:
                raise part.failure
            if not part.alive():
                raise EdgeError(f"the {type(part).__name__.lower()} thread ended; its log says why")

    def _stop(self, *, crashed: bool) -> None:
        """Store what was taken, say goodbye; each step has its own limit, so that all take under 3 s.

        Where one fails the others follow all the same, from the bottom up.
        """
        log.info("stopping", crashed=crashed)
        with ExitStack() as steps:
            steps.callback(self._parts.outbox.close)
            steps.callback(self._write_status, "crashed" if crashed else "stopped")
            steps.callback(self._parts.uplink.stop)
            steps.callback(self._parts.renewal.stop)
            steps.callback(self._stop_updates, crashed=crashed)
            steps.callback(self._parts.runners.stop)
            steps.callback(self._parts.feed.stop, timeout_s=0.5)
            self._parts.recorder.stop()

    def _stop_updates(self, *, crashed: bool) -> None:
        ending = threading.Thread(target=self._parts.updates.stop, kwargs={"crashed": crashed}, daemon=True)
        ending.start()
        ending.join(UPDATES_STOP_S)

    def _write_status(self, state: str) -> None:
        now_us = self._clock.now_us()
        row = describe(self._parts, self._config, self._identity, self._findings)
        own = {"state": state, "time_us": now_us, "started_us": self._started_us}
        try:
            status.write(self._config.state_dir, own | row)
        except OSError as error:  # a full disk: the outbox lives with it, and so does this
            self._note_untold(str(error))
        else:
            self._untold = ""

    def _note_untold(self, reason: str) -> None:
        if not self._untold:
            log.warning("the status cannot be written", reason=reason)
        self._untold = reason

    def _begin_self_test(self) -> None:
        def run() -> None:
            self._findings = selftest.run(self._config.state_dir, self._parts.runners)
            for finding in self._findings:
                log.info("self-test", name=finding.name, passed=finding.passed, detail=finding.detail)

        threading.Thread(target=run, name="self-test", daemon=True).start()


def _settle_memory() -> None:
    """What the libraries have built up stays: no full collection walks through it while a window waits.

    Some 190,000 objects; walking them took 0.2 s on a busy host, and takes nothing afterwards.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def _signals(stopping: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set ``stopping``; only the main thread can ask for signals."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
