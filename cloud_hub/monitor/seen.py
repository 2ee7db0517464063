"""Rows as drift looks at them: what the network uses, what it answers, under which condition, how far gone.

Machines wear, and features move with wear although nothing has changed. So rows are compared
with rows alike: features with those of machines whose predicted health is the same (if that tells
all the features know of wear, the rest must not depend on how many machines are worn), and the
predicted health itself with that of machines as old. A machine that was first seen in mid-life is
of unknown age until a label says that it failed or was maintained.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import graphs
from models.examples import Examples, Floats
from models.interface import ANOMALY, REMAINING_LIFE
from models.use_case import UseCase

PROBED_ROWS = 256  # on which an input shows whether the network uses it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """Rows sorted by machine, then time; all columns have the same length n."""

    variables: tuple[str, ...]
    health: tuple[int, ...]  # those of them that say how far gone a machine is
    machine: NDArray[np.int32]  # [n]
    times: NDArray[np.int64]  # [n] UTC microseconds
    condition: NDArray[np.int16]  # [n]; -1: one that nobody knows
    band: NDArray[np.int8]  # [n] of predicted health
    age: Floats  # [n] NaN: unknown
    values: Floats  # [n, variables]

    def __len__(self) -> int:
        return len(self.times)

    def where(self, mask: NDArray[np.bool_]) -> "Seen":
        """The rows under ``mask``."""
        columns = ("machine", "times", "condition", "band", "age", "values")
        return replace(self, **{column: getattr(self, column)[mask] for column in columns})


def see(
    examples: Examples,
    conditions: NDArray[np.int16],
    runner: graphs.Runner,
    used: tuple[int, ...],
    use_case: UseCase,
) -> Seen:
    """``examples`` hold the network's inputs, of which ``used`` count; ``conditions`` [n] are of the rows."""
    answers = runner.run(examples.features)
    outputs = use_case.outputs
    told = _health(use_case)
    return Seen(
        variables=(*(examples.names[index] for index in used), *outputs),
        health=tuple(len(used) + outputs.index(name) for name in told),
        machine=examples.machine,
        times=examples.times,
        condition=conditions,
        band=_bands(answers, use_case),
        age=np.where(examples.life > 1, examples.age, np.float32(np.nan)),
        values=np.concatenate([examples.features[:, list(used)], answers], axis=1),
    )


def used_inputs(features: Floats, runner: graphs.Runner) -> tuple[int, ...]:
    """The inputs that any answer depends on: those that change one when their values change places."""
    probes = features[:: max(1, len(features) // PROBED_ROWS)]
    answers = runner.run(probes)
    found = []
    for index in range(probes.shape[1]):
        mixed = probes.copy()
        mixed[:, index] = np.roll(mixed[:, index], len(mixed) // 2 + 1)
        if not np.array_equal(runner.run(mixed), answers):
            found.append(index)
    return tuple(found)


def _health(use_case: UseCase) -> tuple[str, ...]:
    """The outputs that bands are made of."""
    faults = tuple(name for name in use_case.outputs if name not in (REMAINING_LIFE, ANOMALY))
    return {"remaining-life": (REMAINING_LIFE,), "anomaly": (ANOMALY,), "fault-class": faults}[use_case.task]


def _bands(answers: Floats, use_case: UseCase) -> NDArray[np.int8]:
    """Predicted life by the edges of its interval; in or out of healthy; the most likely class."""
    columns = answers[:, [use_case.outputs.index(name) for name in _health(use_case)]]
    if use_case.task == "remaining-life":
        return np.searchsorted(use_case.interval.edges[1:], columns[:, 0], "right").astype(np.int8)
    if use_case.task == "anomaly":
        return (columns[:, 0] >= 1).astype(np.int8)
    sound = 1 - columns.sum(axis=1, keepdims=True)
    return np.asarray(np.concatenate([columns, sound], axis=1).argmax(axis=1), np.int8)
