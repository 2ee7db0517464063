"""The feature set vibration-trend/1: the windows of now beside what they were lately.

Machines are repaired, and nobody tells the agent. So nothing here refers to the
first readings of a life: memories are exponential, and after a repair they heal
by themselves, the slow one within about 60 windows (0.95^60 = 5 % is left).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.bearing import BEARING_6205, Bearing
from kernels.extractor import Row, State, replay, tag_of
from kernels.vibration import VibrationExtractor, make_vibration

FAST, SLOW = 0.3, 0.05  # weight of a new window
AMPLITUDE_FLOOR = 1e-3  # of the signal's unit: below, compression is linear
POWER_FLOOR = AMPLITUDE_FLOOR**2

# Of each waveform, these are followed over time; of the scalars, all.
FOLLOWED = ("log_rms", "log_kurtosis", "log_env_2bsf", "log_env_bpfo", "log_env_bpfi")
NOT_COMPRESSED = ("skewness", "entropy", "last")


@dataclass(frozen=True, kw_only=True)
class VibrationTrendExtractor:
    """vibration/1 with positive features as log(1 + x / floor), and for the followed ones, and each
    scalar: ``fast`` and ``slow`` exponential means per window, and ``drift`` = fast - slow.

    A mean starts as the plain mean of the windows so far, so that the first does not outweigh the others.
    """

    instant: VibrationExtractor
    names: tuple[str, ...]
    units: tuple[str, ...]
    tag: bytes
    floors: NDArray[np.float64]  # per instant feature; NaN: not compressed
    followed: NDArray[np.int64]  # which instant features have memories

    @property
    def width(self) -> int:
        return len(self.names)

    def initial(self) -> State:
        memory = np.zeros(self._size())
        memory[: len(self.instant.scalars)] = np.nan
        return State(tag=self.tag, memory=memory)

    def restore(self, payload: bytes) -> State:
        return State.from_bytes(payload, tag=self.tag, size=self._size())

    def update(
        self, state: State, time_us: int, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> Row | None:
        held = len(self.instant.scalars)
        row = self.instant.update(
            State(tag=self.instant.tag, memory=state.memory[:held]), time_us, scalars, windows
        )
        if row is None:
            return None
        compressed = self._compress(row.astype(np.float64))
        count = state.memory[held] + 1
        means = state.memory[held + 1 :].reshape(2, -1)
        weights = np.maximum([[FAST], [SLOW]], 1 / count)
        means += weights * (compressed[self.followed] - means)
        state.memory[held] = count
        moved = np.stack([*means, means[0] - means[1]], axis=1).ravel()
        return np.concatenate([compressed, moved], dtype=np.float32, casting="same_kind")

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        return replay(self, times, scalars, windows)

    def _compress(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        raw = np.isnan(self.floors)
        return np.where(raw, row, np.log1p(np.where(raw, 0.0, row) / np.where(raw, 1.0, self.floors)))

    def _size(self) -> int:
        return len(self.instant.scalars) + 1 + 2 * len(self.followed)


def make_vibration_trend(
    *,
    scalars: Sequence[str],
    waveforms: Sequence[tuple[str, float, int]],
    units: Mapping[str, str],
    bearing: Bearing = BEARING_6205,
) -> VibrationTrendExtractor:
    instant = make_vibration(scalars=scalars, waveforms=waveforms, units=units, bearing=bearing)
    floors = np.array([_floor(name) for name in instant.names])
    names = [_compressed(name, floor) for name, floor in zip(instant.names, floors, strict=True)]
    kinds = [unit if np.isnan(floor) else "1" for unit, floor in zip(instant.units, floors, strict=True)]
    followed = [index for index, name in enumerate(names) if name.split(".")[-1] in (*FOLLOWED, "last")]
    for index in followed:
        stem = names[index].removesuffix(".last")
        names += [f"{stem}.{memory}" for memory in ("fast", "slow", "drift")]
        kinds += [kinds[index]] * 3
    return VibrationTrendExtractor(
        instant=instant,
        names=tuple(names),
        units=tuple(kinds),
        tag=tag_of("vibration-trend/1", names, kinds, instant.tag),
        floors=floors,
        followed=np.array(followed, np.int64),
    )


def _floor(name: str) -> float:
    """Below this a feature is compressed linearly; NaN: it is not compressed."""
    feature = name.rsplit(".", 1)[-1]
    if feature in NOT_COMPRESSED:
        return np.nan
    if feature.startswith("band"):
        return POWER_FLOOR
    if feature in ("rms", "peak") or feature.startswith(("order_", "env_")):
        return AMPLITUDE_FLOOR
    return 1.0  # ratios, kurtosis, frequencies in Hz


def _compressed(name: str, floor: float) -> str:
    signal, feature = name.rsplit(".", 1)
    return name if np.isnan(floor) else f"{signal}.log_{feature}"
