"""One way to run a release's network: how it is had, whether it stands, what its answers take.

A way may answer once its golden inputs were answered on this device, as close to what they were where the
network was made as its precision may be off. That is asked anew every time it is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from edge_agent.runners.errors import DriverError, NoEngineError, UnavailableError, failure, told
from edge_agent.runners.proof import Check, Clock, prove
from edge_agent.runners.runner import Matrix, Runner
from edge_agent.runners.standing import TRANSITIONS, Bounds, Event, Standing, Taken, enough
from wire.bundle import Bundle
from wire.precision import Precision

CONFIRMED = 3  # rows that are timed while a row waits
UNDISTURBED_S = 7200.0  # after which a failure is a first one again


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a network could be run here; nothing is tried yet."""

    name: str
    precision: Precision
    make: Callable[[Bundle], Runner]  # NoEngineError: only after ``prepare``
    prepare: Callable[[Bundle], None] | None = None  # may take minutes, so never where a row waits
    last_resort: bool = False  # made when nothing else answers, not before

    @property
    def title(self) -> str:
        return f"{self.name} {self.precision}"


class Link:
    """A way, and what became of it; its chain guards it."""

    def __init__(self, way: Way, bounds: Bounds, clock: Clock) -> None:
        self.way = way
        self.standing = Standing.UNTRIED
        self.reason = ""  # why it does not stand
        self.runner: Runner | None = None
        self.measured_s: float | None = None  # one row, when it was made
        self.due = 0.0  # when it may be tried again, on the chain's clock
        self.waits_for_engine = False
        self.withdrawals = 0  # of what it was made from
        self._made_after = 0  # so many of them
        self._failures = 0
        self._bounds = bounds
        self._clock = clock
        self._seconds: list[float] = []  # of single rows, since the last look
        self._looked = clock()

    @property
    def withdrawn(self) -> bool:
        """Whether it runs what was withdrawn since it was made."""
        return self.runner is not None and self._made_after != self.withdrawals

    def make(self, bundle: Bundle, check: Check) -> tuple[Runner, float | None]:
        """A runner that is proved, and what a row takes; nothing changes here. Raises ``EdgeError``.

        A last resort is asked the golden inputs once, together, and not timed: it would be no less one, and a
        row waits.
        """
        runner: Runner | None = None
        try:
            runner = self.way.make(bundle)
            if self.way.last_resort:
                check(runner, bundle)
                return runner, None
            return runner, prove(runner, bundle, check, self._clock)
        except Exception as error:  # whatever a library raises, another way may do
            if runner is not None:
                runner.close()
            raise failure(error) from error

    def measure(self, bundle: Bundle) -> float:
        """What a row takes now, in seconds: the median of a few."""
        assert self.runner is not None, "only a way that stands is asked"
        row = bundle.golden_inputs[:1]
        return median(self._timed(self.runner, row)[1] for _ in range(CONFIRMED))

    def ask(self, features: Matrix) -> Matrix:
        """What its runner answers; the time that took is noted where it was one row."""
        assert self.runner is not None, "only a way that stands is asked"
        outputs, seconds = self._timed(self.runner, features)
        if len(features) == 1:
            self._seconds.append(seconds)
        return outputs

    def newest(self) -> Taken | None:
        """What the answers since the last look took; None while there are too few to judge by."""
        now = self._clock()
        if not enough(len(self._seconds), now - self._looked, self._bounds):
            return None
        taken, self._looked = Taken.of(self._seconds), now
        self._seconds.clear()
        return taken

    def stand(self, runner: Runner, measured_s: float | None, withdrawals: int) -> None:
        """``withdrawals``: those before ``runner`` was made."""
        self._move(Event.PROVED)
        self._made_after = withdrawals
        self.runner, self.measured_s, self.reason = runner, measured_s, ""
        self.waits_for_engine = False
        self._seconds.clear()
        self._looked = self._clock()

    def leave(self, error: Exception, now: float) -> Runner | None:
        """Not asked from now on; the runner it had, to be closed when nobody can be inside."""
        missing = isinstance(error, (UnavailableError, DriverError))  # CUDA looks for its driver once
        self._move(Event.MISSING if missing else Event.FAILED)
        self.reason = told(error)
        self.waits_for_engine = isinstance(error, NoEngineError)
        if not self.waits_for_engine:
            self._failures = 1 if now - self.due > UNDISTURBED_S else self._failures + 1
        # Also before an engine is compiled here: a shared one may have come by then.
        self.due = now + self._bounds.wait_s(max(self._failures, 1))
        runner, self.runner = self.runner, None
        return runner

    def describe(self) -> dict[str, Any]:
        """For people, as JSON."""
        taken = None if self.measured_s is None else round(self.measured_s * 1000, 3)
        own = {"runner": self.way.name, "precision": str(self.way.precision)}
        return own | {"standing": str(self.standing), "reason": self.reason, "row_ms": taken}

    def _move(self, event: Event) -> None:
        self.standing = TRANSITIONS[self.standing][event]

    def _timed(self, runner: Runner, features: Matrix) -> tuple[Matrix, float]:
        began = self._clock()
        outputs = runner.run(features)
        return outputs, self._clock() - began
