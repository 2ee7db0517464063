"""The runner of every bundle of a device: a chain of what this device can run networks with.

Chains in use are tended in a thread of its own, which may compile for minutes: the feed, the updates and
whoever asks for a row wait for none of it. A chain that nobody uses any more closes by itself.
"""

import threading
import time
import weakref
from collections.abc import Callable, Sequence

import structlog

from edge_agent.runners.chain import Chain
from edge_agent.runners.fallback import Change
from edge_agent.runners.link import Way
from edge_agent.runners.proof import Check, Clock
from edge_agent.runners.standing import Bounds
from wire.bundle import Bundle
from wire.precision import Precision

TEND_S = 1.0
STOP_S = 0.5  # a thread that waits for a library for so long is left behind

log = structlog.get_logger()


class ChainMaker:
    """Called with a bundle, it makes that bundle's runner."""

    def __init__(
        self,
        ways: Callable[[Bundle], Sequence[Way]],
        *,
        check: Check,
        bounds: Bounds,
        tell: Callable[[Change], None],
        clock: Clock = time.perf_counter,
    ) -> None:
        """``tell`` hears of every change of what answers, where a row waits: it must not."""
        self._ways = ways
        self._check = check
        self._bounds = bounds
        self._tell = tell
        self._clock = clock
        self._chains: weakref.WeakSet[Chain] = weakref.WeakSet()
        self._lock = threading.Lock()  # of ``_chains``: one thread lists them, another one adds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="runners", daemon=True)

    def __call__(self, bundle: Bundle) -> Chain:
        """Raises ``EdgeError`` where no way to run ``bundle`` can be had here."""
        made = self._chain(bundle, self._tell)
        with self._lock:
            self._chains.add(made)
        return made

    def once(self, bundle: Bundle) -> Chain:
        """One that is not tended and of which nobody hears, to be closed by whoever asked for it."""
        return self._chain(bundle, lambda change: None)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def withdraw(self, release: str, name: str, precision: Precision) -> None:
        """The engine by which this way runs ``release`` answers no further row; from any thread."""
        for chain in self._living():
            chain.withdraw(release, name, precision)

    def tend(self) -> None:
        """Close what was left, try again what is due."""
        for chain in self._living():
            if not self._stopping.is_set():
                chain.tend()

    def _living(self) -> list[Chain]:
        with self._lock:
            return list(self._chains)

    def _chain(self, bundle: Bundle, tell: Callable[[Change], None]) -> Chain:
        return Chain(
            bundle,
            self._ways(bundle),
            check=self._check,
            bounds=self._bounds,
            clock=self._clock,
            tell=tell,
        )

    def _work(self) -> None:
        while not self._stopping.wait(TEND_S):
            try:
                self.tend()
            except Exception:  # rows are answered as before, and this thread goes on trying
                log.exception("a way to run a network stumbled")
