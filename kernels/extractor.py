"""What every feature set offers, and the state it keeps between readings.

The state travels as bytes: the agent stores it in the transaction that stores
the features made with it, so that a restart continues exactly.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled
from kernels.errors import KernelInputError, KernelStateError

LARGEST_SCALAR = 1e30  # features of larger ones would not fit a float32
LARGEST_SAMPLE = 1e12  # powers of larger ones would not
TAG_BYTES = 16

Row = NDArray[np.float32]
Scalars = NDArray[np.float64]


@dataclass(slots=True, kw_only=True, eq=False)
class State:
    """What an extractor remembers of one machine; ``update`` changes it in place."""

    tag: bytes  # of the extractor it belongs to
    memory: NDArray[np.float64]  # 1-D

    def to_bytes(self) -> bytes:
        return self.tag + self.memory.astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, payload: bytes, *, tag: bytes, size: int) -> Self:
        """Raises KernelStateError unless an extractor with ``tag`` and ``size`` wrote ``payload``."""
        expected = TAG_BYTES + 8 * size
        if len(payload) != expected:
            raise KernelStateError(f"expected {expected} bytes of feature state, got {len(payload)}")
        if payload[:TAG_BYTES] != tag:
            raise KernelStateError(
                f"expected feature state {tag.hex()}, got {payload[:TAG_BYTES].hex()}: "
                "the signals or the feature set of this machine have changed"
            )
        return cls(tag=tag, memory=np.frombuffer(payload, "<f8", offset=TAG_BYTES).astype(np.float64))


class Extractor(Protocol):
    """Turns readings of one machine into feature rows; the same object serves any number of machines."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name a feature, such as ``vibration_x.rms``."""

    @property
    def units(self) -> tuple[str, ...]:
        """UCUM, aligned with ``names``."""

    @property
    def width(self) -> int: ...

    def initial(self) -> State:
        """The state at the start of a life."""

    def restore(self, payload: bytes) -> State:
        """The state written by ``State.to_bytes``; raises KernelStateError for another extractor's."""

    def update(
        self, state: State, time_us: int, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> Row | None:
        """Take one reading; float32 [width], or None when this reading makes no row.

        ``scalars``: [n], NaN where the reading has none: the last known value holds. No row is
        made until each was seen once. ``windows``: none, or one for each waveform, in order.
        Raises KernelInputError, and then ``state`` is as before.
        """

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        """``update`` over a whole life from ``initial()``: float32 [n, width], NaN where it makes no row.

        ``scalars``: [n, k]; ``windows``: for each waveform an array [n, length].
        """


def tag_of(kind: str, names: Sequence[str], units: Sequence[str], *measured: object) -> bytes:
    """``measured``: on what else a memory depends, such as rates; under another it says something else."""
    text = "\n".join([kind, *names, *units, *map(repr, measured)])
    return hashlib.sha256(text.encode()).digest()[:TAG_BYTES]


def read_scalars(values: ArrayLike, names: Sequence[str]) -> Scalars:
    """``values`` as a fresh float64 array whose last axis is ``names``; NaN passes, infinity does not."""
    scalars = np.array(values, np.float64, order="C")
    if scalars.shape[-1:] != (len(names),):
        raise KernelInputError("scalars", scalars.shape, f"{len(names)} values a reading")
    wrong = np.abs(scalars) > LARGEST_SCALAR  # False for NaN
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        raise KernelInputError(names[place[-1]], scalars[place], f"NaN or a value within ±{LARGEST_SCALAR:g}")
    return scalars


def read_window(values: ArrayLike, name: str, *, shortest: int, length: int = 0) -> NDArray[np.float32]:
    """``values`` as float32 [length] (any length from ``shortest`` if 0), all finite."""
    window = np.ascontiguousarray(values, np.float32)
    if window.ndim != 1 or len(window) < shortest or (length and len(window) != length):
        wanted = f"a window of {length} samples" if length else f"a window of at least {shortest} samples"
        raise KernelInputError(name, f"shape {window.shape}", wanted)
    place = _unsound(window, np.float32(LARGEST_SAMPLE))
    if place >= 0:
        wanted = f"finite samples within ±{LARGEST_SAMPLE:g}"
        raise KernelInputError(name, f"{window[place]} at sample {place}", wanted)
    return window


@compiled
def _unsound(window, largest):
    """The first sample that is NaN or beyond ``largest``, -1 if none."""
    magnitude, worst = np.int32(0x7FFFFFFF), np.int32(0)
    for i in range(len(window)):  # of integers, as those go through vector lanes; NaN is beyond infinity
        worst = max(worst, np.int32(np.float32(window[i]).view(np.int32) & magnitude))
    if worst <= np.float32(largest).view(np.int32):
        return -1
    for i in range(len(window)):
        if not abs(window[i]) <= largest:
            return i
    return -1


def replay(
    extractor: Extractor, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """``Extractor.batch`` by stepping through the readings."""
    scalars = np.asarray(scalars, np.float64)
    rows = np.full((len(scalars), extractor.width), np.nan, np.float32)
    state = extractor.initial()
    for index, time_us in enumerate(np.asarray(times, np.int64)):
        row = extractor.update(state, int(time_us), scalars[index], [stack[index] for stack in windows])
        if row is not None:
            rows[index] = row
    return rows
