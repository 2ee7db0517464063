"""The ways to run one release's network, the best one first: which stand, which are tried again.

Rows are asked on one thread, and what was left is made and proved anew on another (``tend``); a lock guards
what stands. A runner that was left is closed by ``tend``: closing takes time, and a row may be waiting.
"""

import threading
from collections.abc import Sequence

import structlog

from edge_agent.errors import EdgeError, InferenceError
from edge_agent.runners.errors import NoEngineError, failure, told
from edge_agent.runners.link import Link, Way
from edge_agent.runners.proof import Along, Check, Clock
from edge_agent.runners.runner import Matrix, Runner
from edge_agent.runners.standing import Bounds, Standing, Taken, slow
from wire.bundle import Bundle
from wire.precision import Precision

log = structlog.get_logger()


class Links:
    """``standing`` is replaced as a whole, so any thread may read it."""

    def __init__(
        self, bundle: Bundle, ways: Sequence[Way], *, check: Check, bounds: Bounds, clock: Clock
    ) -> None:
        """Makes every way that can be had at once. Raises the last ``EdgeError`` where none can."""
        self.bundle = bundle
        self.all = tuple(Link(way, bounds, clock) for way in ways)
        self.standing: tuple[Link, ...] = ()
        self._check = check
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.Lock()
        self._left: list[Runner] = []  # not closed yet
        self._begin()

    def asked(self) -> tuple[Link, ...]:
        """What a row is asked of: of what stands, nothing that was withdrawn. For the rows' own thread."""
        for link in self.standing:
            if link.withdrawn:
                self.leave(link, InferenceError("its engine was withdrawn by the hub"))
        return self.standing

    def withdraw(self, name: str, precision: Precision) -> None:
        """Have the way of this name and precision answer no further row with what it was made from."""
        with self._lock:
            for link in self.all:
                if (link.way.name, link.way.precision) == (name, precision):
                    link.withdrawals += 1

    def leave(self, link: Link, error: Exception) -> None:
        """Ask ``link`` no more, until it was made and proved anew."""
        with self._lock:
            runner = link.leave(error, self._clock())
            if runner is not None:
                self._left.append(runner)
            self._refresh()
        log.warning("fell back", way=link.way.title, release=self._release, reason=told(error))

    def bring(self, link: Link) -> None:
        """Make and prove ``link``; raises ``EdgeError`` where it does not stand then."""
        self._bring(link, self._check)

    def bring_asking(self, link: Link, features: Matrix) -> Matrix:
        """As ``bring``; what ``link`` answers to ``features``, asked along with its golden inputs."""
        along = Along(self._check, features)
        self._bring(link, along)
        return along.outputs

    def _bring(self, link: Link, check: Check) -> None:
        withdrawals = link.withdrawals
        try:
            runner, measured_s = self._made(link, check)
        except EdgeError as error:
            with self._lock:
                link.leave(error, self._clock())
            raise
        with self._lock:
            link.stand(runner, measured_s, withdrawals)
            self._refresh()
        log.info("runs", way=link.way.title, release=self._release)

    def tend(self) -> None:
        """Close what was left, try again what is due; may take minutes."""
        with self._lock:
            left = [self._left.pop() for _ in range(len(self._left))]
        for runner in left:
            _close(runner)
        for link in self.all:
            if self._due(link):
                self._try(link)

    def close(self) -> None:
        """Nobody may be inside, or come again."""
        for runner in (*self._left, *(link.runner for link in self.all)):
            if runner is not None:
                _close(runner)

    @property
    def _release(self) -> str:
        return self.bundle.manifest.release

    def _begin(self) -> None:
        problem: EdgeError = InferenceError("expected a way to run the network, got none")
        for link in self.all:
            if link.way.last_resort:
                continue
            try:
                self.bring(link)
            except EdgeError as error:
                problem = error
                log.info("does not run", way=link.way.title, release=self._release, reason=told(error))
        if not self.standing:
            raise problem

    def _try(self, link: Link) -> None:
        try:
            try:
                self.bring(link)
            except NoEngineError:
                self._prepare(link)
                self.bring(link)
        except EdgeError as error:
            log.info("does not run", way=link.way.title, release=self._release, reason=told(error))

    def _prepare(self, link: Link) -> None:
        try:
            if link.way.prepare is not None:
                link.way.prepare(self.bundle)
        except Exception as error:  # a disk that is full, a process that cannot be started
            with self._lock:
                link.leave(failure(error), self._clock())
            raise failure(error) from error

    def _due(self, link: Link) -> bool:
        """A network is compiled only for want of a better way to run it."""
        with self._lock:
            if link.way.last_resort or link.standing is not Standing.LEFT or self._clock() < link.due:
                return False
            better = self.all[: self.all.index(link)]
            return not (link.waits_for_engine and any(each.runner for each in better))

    def _made(self, link: Link, check: Check) -> tuple[Runner, float | None]:
        runner, measured_s = link.make(self.bundle, check)
        following = next((other for other in self.standing if self._below(other, link)), None)
        if measured_s is not None and following is not None and following.measured_s is not None:
            reason = slow(Taken.of([measured_s]), following.way.title, following.measured_s, self._bounds)
            if reason:
                _close(runner)
                raise InferenceError(reason)
        return runner, measured_s

    def _below(self, other: Link, link: Link) -> bool:
        return self.all.index(other) > self.all.index(link)

    def _refresh(self) -> None:
        stand = [link for link in self.all if link.runner is not None]
        self.standing = tuple(link for link in stand if not link.way.last_resort)


def _close(runner: Runner) -> None:
    """Whatever a library makes of it, the others are closed too."""
    try:
        runner.close()
    except Exception as error:
        log.warning("not closed", runner=runner.name, reason=told(failure(error)))
