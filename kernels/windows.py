"""Cut a continuous stream of samples into windows, however the stream comes in pieces.

The same samples give the same windows whether they come one by one or all at
once. A window never spans a gap: after one, start again from ``Rest()``.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.errors import KernelInputError

Samples = NDArray[np.float32]


def _nothing() -> Samples:
    return np.empty(0, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rest:
    """What of a stream has not become a window yet."""

    samples: Samples = field(default_factory=_nothing)
    skip: int = 0  # samples still to come that no window takes (hop > length)


def cut(rest: Rest, samples: ArrayLike, *, length: int, hop: int) -> tuple[Samples, Rest]:
    """(windows [m, length], what is left) after ``samples`` [n] joined the stream.

    A window begins every ``hop`` samples: overlapping if hop < length, with pauses if hop > length.
    """
    if length < 1 or hop < 1:
        raise KernelInputError("length and hop", (length, hop), "at least 1 each")
    joined = np.concatenate([rest.samples, np.asarray(samples, np.float32)])
    stream = joined[rest.skip :]
    if len(stream) < length:
        return np.empty((0, length), np.float32), Rest(
            samples=stream.copy(), skip=max(rest.skip - len(joined), 0)
        )
    windows = np.lib.stride_tricks.sliding_window_view(stream, length)[::hop].copy()
    used = len(windows) * hop
    return windows, Rest(samples=stream[used:].copy(), skip=max(used - len(stream), 0))
