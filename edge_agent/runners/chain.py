"""A release's network behind several executions: the best one that stands answers, the next one stands by.

None answers a row before it has answered the golden inputs on this device. One that fails, answers what is
no number where the next one knows a number, or has become slow is left with its reason, and the row that
showed it is answered by the next one in the same call: nothing is lost. What was left is made and proved
anew in the background (``tend``), after waits that grow. The last one is never left: there is no other.
"""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import structlog

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.errors import failure, told
from edge_agent.runners.fallback import Change, change
from edge_agent.runners.link import Link, Way
from edge_agent.runners.links import Links
from edge_agent.runners.proof import Check, Clock
from edge_agent.runners.runner import Matrix
from edge_agent.runners.standing import Bounds, Standing, Taken, slow
from wire.bundle import Bundle
from wire.precision import Precision

Doubt = tuple[Link, Matrix]  # who answered what is no number

log = structlog.get_logger()


class Chain:
    """A ``Runner``, asked by one thread; ``tend`` may run on another."""

    def __init__(
        self,
        bundle: Bundle,
        ways: Sequence[Way],
        *,
        check: Check,
        bounds: Bounds,
        clock: Clock,
        tell: Callable[[Change], None],
    ) -> None:
        """``ways``: the best one first. Raises the last one's ``EdgeError`` where none can be had now."""
        self._links = Links(bundle, ways, check=check, bounds=bounds, clock=clock)
        self._bounds = bounds
        self._clock = clock
        self._tell = tell
        self._finalizer = weakref.finalize(self, self._links.close)
        self._answers = self._links.standing[0]
        best = self._links.all[0]
        if self._answers is not best and not best.waits_for_engine:
            self._say(best, self._answers)

    @property
    def name(self) -> str:
        return self._answers.way.name

    @property
    def precision(self) -> Precision:
        return self._answers.way.precision

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k]; ``InferenceError`` where nobody answers."""
        links = self._links.asked()
        doubtful: list[Doubt] = []
        problem, silent = InferenceError("nothing runs this network any more"), True
        for link, following in zip(links, (*links[1:], None), strict=True):
            try:
                outputs = link.ask(features)
            except FeatureMismatchError:
                raise  # wrong for every one of them
            except Exception as error:  # whatever a library raises, the next one answers
                problem, silent = InferenceError(told(failure(error))), True
                if following is not None:
                    self._links.leave(link, problem)
                continue
            if (following is not None or doubtful) and not np.isfinite(outputs).all():
                doubtful.append((link, outputs))
                silent = False
                continue
            self._answered(link, following, doubtful)
            return outputs
        if not silent:  # all say so: it is the row, or the model
            return doubtful[0][1]
        return self._ask_last_resort(features, problem, doubtful)

    def close(self) -> None:
        """Nobody may be inside, or come again. Happens by itself when nobody holds the chain any more."""
        self._finalizer()

    def tend(self) -> None:
        """Close what was left, try what is due again; may take minutes."""
        self._links.tend()

    def withdraw(self, release: str, name: str, precision: Precision) -> None:
        """The engine by which this way runs ``release`` answers no further row; from any thread."""
        if release == self._links.bundle.manifest.release:
            self._links.withdraw(name, precision)

    def describe(self) -> dict[str, Any]:
        """What answers, and why nothing better does: for people, as JSON."""
        return {
            "answers": self._answers.way.title,
            "ways": [link.describe() for link in self._links.all],
        }

    def _answered(self, link: Link, following: Link | None, doubtful: Sequence[Doubt]) -> None:
        for other, _ in doubtful:
            self._links.leave(other, InferenceError(f"no number where {link.way.title} answers one"))
        if link is not self._answers:
            before, self._answers = self._answers, link
            self._say(before, link)
        taken = link.newest() if following is not None else None
        if taken is not None and following is not None:
            self._judge(link, taken, following)

    def _judge(self, link: Link, taken: Taken, following: Link) -> None:
        """Leave ``link`` where it has become slow; on a busy host the next one is asked what it takes now."""
        title = following.way.title
        if following.measured_s is None or not slow(taken, title, following.measured_s, self._bounds):
            return
        try:
            reason = slow(taken, title, following.measure(self._links.bundle), self._bounds)
        except Exception as error:  # the row is answered; that the next one cannot be asked is its own matter
            log.info("not compared", way=title, reason=told(failure(error)))
            return
        if reason:
            self._links.leave(link, InferenceError(reason))

    def _ask_last_resort(
        self, features: Matrix, problem: InferenceError, doubtful: Sequence[Doubt]
    ) -> Matrix:
        """Where it has no better one, what was doubtful is the answer."""
        try:
            link, outputs = self._last_resort(features, problem)
        except InferenceError:
            if doubtful:
                return doubtful[0][1]
            raise
        self._answered(link, None, doubtful if np.isfinite(outputs).all() else ())
        return outputs

    def _last_resort(self, features: Matrix, problem: InferenceError) -> tuple[Link, Matrix]:
        link = next((link for link in self._links.all if link.way.last_resort), None)
        if link is None or link.standing is Standing.ABSENT or self._clock() < link.due:
            raise problem
        try:
            if link.runner is None:
                return link, self._links.bring_asking(link, features)
            return link, link.ask(features)
        except Exception as error:
            if link.runner is not None:
                self._links.leave(link, failure(error))
            raise problem from error

    def _say(self, before: Link, after: Link) -> None:
        links = self._links.all
        fell = links.index(after) > links.index(before)
        self._tell(change(self._links.bundle.manifest, before, after, fell=fell))
