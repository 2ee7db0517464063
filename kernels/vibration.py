"""The feature set vibration/1: what one window of each waveform says about a machine, by itself.

Every reading with windows makes a row that depends on no other reading, but for
scalars that were not measured with it: those hold their last value.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels import cpu, layout
from kernels.bearing import BEARING_6205, Bearing
from kernels.errors import KernelInputError
from kernels.extractor import Row, State, read_scalars, read_window, replay, tag_of
from kernels.scratch import Scratch

SHORTEST = 64  # samples; below, bands and lines are empty
SPEED = "speed"  # the scalar that gives the shaft's speed, in one of these units
PER_SECOND = {"Hz": 1.0, "1/min": 1 / 60}

SPECTRUM_LINES = ("order_1x", "order_2x")
ENVELOPE_LINES = ("env_1x", "env_2x", "env_ftf", "env_bsf", "env_2bsf", "env_bpfo", "env_bpfi")

_scratch = Scratch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waveform:
    name: str
    rate_hz: float
    length: int  # samples a window; 0: any


def orders(bearing: Bearing) -> NDArray[np.float64]:
    """Multiples of the shaft's speed, aligned with ``ENVELOPE_LINES``."""
    spin = bearing.ball_spin
    return np.array([1.0, 2.0, bearing.cage, spin, 2 * spin, bearing.outer_race, bearing.inner_race])


def window_features(
    windows: NDArray[np.float32], *, rate_hz: float, speed_hz: float | None, orders_: ArrayLike, twin=cpu
) -> NDArray[np.float32]:
    """[m, 18] or, with a speed, [m, 27] features of windows [m, n], all at one rate.

    Statistics, band powers and shape of the spectrum; then lines of the spectrum at 1x and 2x
    (unbalance, misalignment) and of the envelope's at ``orders_`` (bearing), in the signal's unit.
    A standing shaft (speed 0) has no lines: zeros. ``twin``: the module that computes. Raises
    KernelInputError for windows that are none, and naming the first with a sample that is not finite.
    """
    windows = np.asarray(windows)
    if windows.ndim != 2 or not windows.shape[1]:
        raise KernelInputError("windows", f"shape {windows.shape}", "[m, n] with at least one sample each")
    if not 0 < rate_hz < math.inf:
        raise KernelInputError("rate", rate_hz, "a finite sampling rate above 0 Hz")
    if speed_hz is not None and not math.isfinite(speed_hz):
        raise KernelInputError("speed", speed_hz, "a finite number of turns a second, or None")
    found = _compute(windows, rate_hz, speed_hz, np.asarray(orders_, np.float64), twin)
    if np.isnan(found[:, 0]).any():
        place = int(np.argmax(np.isnan(found[:, 0])))
        raise KernelInputError(f"window {place}", "NaN or infinity", "finite samples")
    return found


def _compute(windows, rate_hz, speed_hz, orders_, twin):
    lines = orders_[:0] if speed_hz is None else orders_ * abs(speed_hz)
    return twin.features(windows, rate_hz, lines[: len(SPECTRUM_LINES)], lines)


@dataclass(frozen=True, kw_only=True)
class VibrationExtractor:
    """Per waveform the features of ``window_features``, then the last value of each scalar.

    Lines are there when a scalar is named ``speed`` and its unit is ``Hz`` or ``1/min``.
    """

    scalars: tuple[str, ...]
    waveforms: tuple[Waveform, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    tag: bytes
    speed: tuple[int, float] | None  # which scalar, and Hz per its unit
    orders: NDArray[np.float64]

    @property
    def width(self) -> int:
        return len(self.names)

    def initial(self) -> State:
        return State(tag=self.tag, memory=np.full(len(self.scalars), np.nan))

    def restore(self, payload: bytes) -> State:
        return State.from_bytes(payload, tag=self.tag, size=len(self.scalars))

    def update(
        self, state: State, time_us: int, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> Row | None:
        reading = read_scalars(scalars, self.scalars)
        sound = self._sound(windows)
        state.memory[:] = np.where(np.isnan(reading), state.memory, reading)
        if not sound or np.isnan(state.memory).any():
            return None
        speed = None if self.speed is None else state.memory[self.speed[0]] * self.speed[1]
        return np.concatenate([self._describe(sound, speed), state.memory], dtype=np.float32)

    def batch(
        self, times: ArrayLike, scalars: ArrayLike, windows: Sequence[NDArray[np.float32]] = ()
    ) -> NDArray[np.float32]:
        return replay(self, times, scalars, windows)

    def _sound(self, windows: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        if len(windows) not in (0, len(self.waveforms)):
            raise KernelInputError("windows", len(windows), f"none, or one for each of {len(self.waveforms)}")
        return [
            read_window(window, waveform.name, shortest=SHORTEST, length=waveform.length)
            for window, waveform in zip(windows, self.waveforms, strict=False)
        ]

    def _describe(self, windows: list[NDArray[np.float32]], speed_hz: float | None) -> NDArray[np.float32]:
        """Features of all waveforms, one after the other; windows of one shape go through together."""
        found: list[Row] = [np.empty(0, np.float32)] * len(windows)
        alike: dict[tuple[int, float], list[int]] = {}
        for index, window in enumerate(windows):
            alike.setdefault((len(window), self.waveforms[index].rate_hz), []).append(index)
        for (length, rate_hz), members in alike.items():
            stack = _scratch.array("windows", (len(members), length))
            for place, index in enumerate(members):
                stack[place] = windows[index]
            rows = _compute(stack, rate_hz, speed_hz, self.orders, cpu)
            for index, row in zip(members, rows, strict=True):
                found[index] = row
        return np.concatenate(found)


def warm() -> None:
    """Compile all that a reading needs, and prove it; see ``cpu.warm``."""
    cpu.warm()
    made = make_vibration(scalars=[SPEED], waveforms=[("warm", 256.0, 0)], units={SPEED: "Hz"})
    window = np.zeros(256, np.float32)
    for writeable in (True, False):  # the compiler takes them for two types
        window.flags.writeable = writeable
        made.update(made.initial(), 0, [1.0], [window])


def make_vibration(
    *,
    scalars: Sequence[str],
    waveforms: Sequence[tuple[str, float, int]],
    units: Mapping[str, str],
    bearing: Bearing = BEARING_6205,
) -> VibrationExtractor:
    shapes = tuple(_waveform(*waveform) for waveform in waveforms)
    if not shapes:
        raise KernelInputError("vibration/1", "no waveforms", "at least one waveform signal")
    speed = None
    if SPEED in scalars and units.get(SPEED) in PER_SECOND:
        speed = (list(scalars).index(SPEED), PER_SECOND[units[SPEED]])
    names: list[str] = []
    kinds: list[str] = []
    for shape in shapes:
        features, feature_units = _features(units.get(shape.name, "1"), lines=speed is not None)
        names += layout.names(shape.name, features)
        kinds += feature_units
    names += [f"{scalar}.last" for scalar in scalars]
    kinds += [units.get(scalar, "1") for scalar in scalars]
    rates = [shape.rate_hz for shape in shapes]
    return VibrationExtractor(
        scalars=tuple(scalars),
        waveforms=shapes,
        names=tuple(names),
        units=tuple(kinds),
        tag=tag_of("vibration/1", names, kinds, rates, bearing),
        speed=speed,
        orders=orders(bearing),
    )


def _waveform(name: str, rate_hz: float, length: int = 0) -> Waveform:
    if not 0 < rate_hz < math.inf:
        raise KernelInputError(name, rate_hz, "a finite sampling rate above 0 Hz")
    if length and length < SHORTEST:
        raise KernelInputError(name, length, f"windows of at least {SHORTEST} samples")
    return Waveform(name=name, rate_hz=float(rate_hz), length=int(length))


def _features(unit: str, *, lines: bool) -> tuple[list[str], list[str]]:
    power = "1" if unit == "1" else f"({unit}).({unit})"
    statistics = [unit, unit, "1", "1", "1", "1", "1"]
    spectral = [power] * layout.BANDS + ["Hz", "Hz", "1"]
    if not lines:
        return [*layout.STATISTICS, *layout.SPECTRAL], statistics + spectral
    amplitudes = [*SPECTRUM_LINES, *ENVELOPE_LINES]
    return (
        [*layout.STATISTICS, *layout.SPECTRAL, *amplitudes],
        statistics + spectral + [unit] * len(amplitudes),
    )
