"""The feature set vibration-trend/2: how far a machine has moved from its own quietest, at whatever speed.

How loud a sound machine is differs more between machines than wear changes most of
them, so levels are compared with the machine's own: a floor and a ceiling follow
each feature at once where it goes beyond them and creep back otherwise. Nobody
tells the agent of a repair, and none has to: the floor goes down with the machine.
What speed explains is taken out before, by the laws that pumps and shafts obey.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.bearing import BEARING_6205, Bearing
from kernels.extractor import Row, State, replay, tag_of
from kernels.vibration import PER_SECOND, SPEED, VibrationExtractor
from kernels.vibration_trend import AMPLITUDE_FLOOR, make_vibration_trend

FAST, SLOW = 0.3, 0.05  # weight of a new window in the means
REACH, CREEP = 0.1, 0.002  # of a mean that is beyond a limit, and of one within
OPENING = 24  # windows during which the limits are plain means
MEMORIES = ("fast", "slow", "rise", "fall")

# Of each waveform, these are followed over time; of the scalars, all.
FOLLOWED = (
    "log_rms",
    "log_kurtosis",
    "log_band4",
    "log_band5",
    "log_band7",
    "log_band8",
    "log_order_1x",
    "log_order_2x",
    "log_env_2bsf",
    "log_env_bpfo",
    "log_env_bpfi",
)
# Affinity laws of pumps, by UCUM unit: flow goes with speed, head with its square, power with its cube.
AFFINITY = {"L/min": 1, "L/s": 1, "m3/h": 1, "bar": 2, "kPa": 2, "MPa": 2, "W": 3, "kW": 3}
ACCELERATION = 2  # of what a shaft shakes; powers of it go with the double


@dataclass(frozen=True, kw_only=True)
class VibrationTrend2Extractor:
    """vibration/1 compressed as in vibration-trend/1, then four memories of what is followed.

    Followed are compressed features, and scalars, those of a unit in ``AFFINITY`` as log(1 + x / 0.001);
    less their exponent times log(1 + speed in Hz). ``fast`` and ``slow`` are exponential means per window,
    ``rise`` is how far fast lies above the floor, ``fall`` how far below the ceiling; all start as plain
    means. Floor and ceiling heal within about 30 windows where a repair made the machine quieter, and only
    within a thousand where it made it louder.
    """

    instant: VibrationExtractor
    names: tuple[str, ...]
    units: tuple[str, ...]
    tag: bytes
    floors: NDArray[np.float64]  # [instant] per feature; NaN: not compressed
    scalar_floors: NDArray[np.float64]  # [instant] of scalars that are followed as logarithms; else NaN
    followed: NDArray[np.int64]  # [k] which instant features have memories
    exponents: NDArray[np.float64]  # [k] of speed
    speed: tuple[int, float] | None  # which instant feature, and Hz per its unit

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
        instant = row.astype(np.float64)
        compressed = _log(instant, self.floors)
        count = state.memory[held] + 1
        memories = state.memory[held + 1 :].reshape(4, -1)
        _remember(memories, self._reduced(instant, compressed), count)
        state.memory[held] = count
        fast, slow, floor, ceiling = memories
        moved = np.stack([fast, slow, fast - floor, ceiling - fast], axis=1).ravel()
        return np.concatenate([compressed, moved], dtype=np.float32, casting="same_kind")

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        return replay(self, times, scalars, windows)

    def _reduced(self, instant: NDArray[np.float64], compressed: NDArray[np.float64]) -> NDArray[np.float64]:
        """[k] what is followed, without what speed explains."""
        followed = _log(compressed, self.scalar_floors)[self.followed]
        if self.speed is None:
            return followed
        place, hertz = self.speed
        return followed - self.exponents * np.log1p(abs(instant[place]) * hertz)

    def _size(self) -> int:
        return len(self.instant.scalars) + 1 + 4 * len(self.followed)


def _remember(memories: NDArray[np.float64], values: NDArray[np.float64], count: float) -> None:
    """Take ``values`` [k], the ``count``-th, into ``memories`` [4, k]: fast, slow, floor, ceiling."""
    means, limits = memories[:2], memories[2:]
    means += np.maximum([[FAST], [SLOW]], 1 / count) * (values - means)
    beyond = np.array([[-1.0], [1.0]]) * (means[0] - limits) > 0
    weights = np.where(beyond, REACH, CREEP)
    limits += (np.maximum(weights, 1 / count) if count <= OPENING else weights) * (means[0] - limits)


def _log(values: NDArray[np.float64], floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(1 + x / floor), and x itself where its floor is NaN."""
    raw = np.isnan(floors)
    shares = np.where(raw, 0.0, values) / np.where(raw, 1.0, floors)
    return np.where(raw, values, np.log1p(np.maximum(shares, 0.0)))


def make_vibration_trend_2(
    *,
    scalars: Sequence[str],
    waveforms: Sequence[tuple[str, float, int]],
    units: Mapping[str, str],
    bearing: Bearing = BEARING_6205,
) -> VibrationTrend2Extractor:
    first = make_vibration_trend(scalars=scalars, waveforms=waveforms, units=units, bearing=bearing)
    instant = first.instant  # and what is made of it at once is the same
    names, kinds = list(first.names[: instant.width]), list(first.units[: instant.width])
    followed = [index for index, name in enumerate(names) if name.rsplit(".", 1)[-1] in (*FOLLOWED, "last")]
    laws = [AFFINITY.get(units.get(name.rsplit(".", 1)[0], ""), 0) for name in names]
    logs = [name.endswith(".last") and law > 0 for name, law in zip(names, laws, strict=True)]
    for index in followed:
        stem = names[index].removesuffix(".last")
        names += [f"{stem}.{memory}" for memory in MEMORIES]
        kinds += ["1" if logs[index] else kinds[index]] * len(MEMORIES)
    return VibrationTrend2Extractor(
        instant=instant,
        names=tuple(names),
        units=tuple(kinds),
        tag=tag_of("vibration-trend/2", names, kinds, instant.tag),
        floors=first.floors,
        scalar_floors=np.where(logs, AMPLITUDE_FLOOR, np.nan),
        followed=np.array(followed, np.int64),
        exponents=np.array([_exponent(names[index], laws[index]) for index in followed], np.float64),
        speed=_speed(instant, units),
    )


def _speed(instant: VibrationExtractor, units: Mapping[str, str]) -> tuple[int, float] | None:
    if instant.speed is None:
        return None
    return instant.names.index(f"{SPEED}.last"), PER_SECOND[units[SPEED]]


def _exponent(name: str, law: int) -> int:
    feature = name.rsplit(".", 1)[-1]
    if feature == "last":
        return law
    if feature.startswith("log_band"):
        return 2 * ACCELERATION
    return ACCELERATION if feature == "log_rms" or feature.startswith(("log_order", "log_env")) else 0
