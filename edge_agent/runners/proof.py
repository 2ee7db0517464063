"""The proof that a runner answers here what its network answered where it was made: one for every way.

It is asked the golden inputs together, as whoever scores again asks, and then one by one, as machines ask: a
library may run another kernel for another shape.
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np

from edge_agent.runners.runner import Matrix, Runner
from wire.bundle import Bundle

SINGLY = 21  # rows, enough for a median

Clock = Callable[[], float]
Check = Callable[[Runner, Bundle], object]  # raises EdgeError where the golden inputs are not answered


def prove(runner: Runner, bundle: Bundle, check: Check, clock: Clock) -> float:
    """What a row takes, in seconds: the median of a few. Raises what ``check`` and ``runner`` raise."""
    check(runner, bundle)
    rows = np.arange(SINGLY) % len(bundle.golden_inputs)
    inputs, outputs = bundle.golden_inputs[rows], bundle.golden_outputs[rows]
    singly = _Singly(runner, clock)
    check(singly, replace(bundle, golden_inputs=inputs, golden_outputs=outputs))
    return median(singly.seconds)


class Along:
    """A check that asks rows in the very question with which it asks the golden inputs: they wait for one."""

    def __init__(self, check: Check, features: Matrix) -> None:
        self.outputs = np.empty((0, 0), np.float32)  # for ``features``, once the check has passed
        self._check = check
        self._features = features

    def __call__(self, runner: Runner, bundle: Bundle) -> None:
        asked = _Along(runner, self._features)
        self._check(asked, bundle)
        self.outputs = asked.outputs


class _Along:
    """A runner asked ``features`` with whatever it is asked."""

    def __init__(self, runner: Runner, features: Matrix) -> None:
        self.name, self.precision = runner.name, runner.precision
        self.outputs = np.empty((0, 0), np.float32)
        self._runner = runner
        self._features = features

    def run(self, features: Matrix) -> Matrix:
        outputs = self._runner.run(np.concatenate([features, self._features]))
        self.outputs = outputs[len(features) :]
        return outputs[: len(features)]

    def close(self) -> None:
        """The runner is another's."""


class _Singly:
    """A runner asked row by row, with what each row took."""

    def __init__(self, runner: Runner, clock: Clock) -> None:
        self.name, self.precision = runner.name, runner.precision
        self.seconds: list[float] = []
        self._runner = runner
        self._clock = clock

    def run(self, features: Matrix) -> Matrix:
        return np.concatenate([self._row(features[place : place + 1]) for place in range(len(features))])

    def close(self) -> None:
        """The runner is another's."""

    def _row(self, row: Matrix) -> Matrix:
        began = self._clock()
        outputs = self._runner.run(row)
        self.seconds.append(self._clock() - began)
        return outputs
