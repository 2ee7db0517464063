"""The fast side of a motor-pump set: windows of acceleration on two axes of the bearing housing.

A window is the sum of what the shaft does (imbalance, misalignment, vanes, mains
hum), of what excites the housing's resonances (impacts of a spalled bearing,
rolling and flow noise, collapsing bubbles) and of what the sensor adds. Damage
changes when and how hard the housing is struck, not much how strongly it shakes:
the running speed alone moves the RMS more than most of a spall's life does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.motor_pump_life import Mode
from simulators.motor_pump_process import Process
from simulators.motor_pump_traits import RATED_SPEED, Bearing, Traits
from simulators.motor_pump_variety import Erosion

RATE_HZ = 12_800.0
WINDOW = 4096  # samples: 0.32 s, about 10 to 16 turns of the shaft
AXES = ("vibration_x", "vibration_y")
UNIT = "m/s2"
RANGE = 50 * 9.80665  # m/s2 at full scale of the converter
STEP = np.float32(2 * RANGE / 65536)  # one count of 16 bits
MAINS_HZ = 50.0
SLIP = 0.012  # relative scatter of the time between impacts: rolling elements slip

Signal = NDArray[np.float32]

_TIME = (np.arange(WINDOW) / RATE_HZ).astype(np.float32)
_HUM = np.sin(2 * np.pi * 2 * MAINS_HZ * _TIME).astype(np.float32)
_FREQUENCY = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)


@dataclass(frozen=True, slots=True)
class Moment:
    """One row of a :class:`Process`: what the housing feels now."""

    turn: float  # speed as a share of the rated one
    demand: float
    flow_share: float
    cavitation: float
    bearing: float  # damage of the bearing, 0..1
    worn: float  # damage of the impeller, 0..1

    @classmethod
    def of(cls, process: Process, row: int) -> "Moment":
        return cls(
            turn=float(process.speed[row]) / RATED_SPEED,
            demand=float(process.demand[row]),
            flow_share=float(process.flow_share[row]),
            cavitation=float(process.cavitation[row]),
            bearing=float(process.bearing[row]),
            worn=float(process.damage[row] - process.bearing[row]),
        )


class Housing:
    """The vibration of one machine: tables that depend only on its traits, made once."""

    def __init__(self, traits: Traits, erosion: Erosion = Erosion.FAINT) -> None:
        self._traits = traits
        self._effect = erosion.effect
        self._response = np.stack(
            [_response(hz, zeta) for hz, zeta in zip(traits.resonance_hz, traits.damping, strict=True)]
        )

    def window(self, moment: Moment, mode: Mode, rng: np.random.Generator) -> Signal:
        """Acceleration (2, WINDOW) in m/s2, as the converter delivers it."""
        angle, shaft_hz = _shaft(moment, rng)
        strikes = self._strikes(moment, mode, shaft_hz, rng)
        excitation = self._rustle(moment, angle, rng)
        if strikes is not None:
            excitation += np.outer(self._traits.transmission, strikes).astype(np.float32)
        rung = np.fft.irfft(np.fft.rfft(excitation) * self._response, WINDOW)
        total = rung + self._turning(moment, angle)
        total += 0.05 * rng.standard_normal(total.shape, dtype=np.float32)
        return quantise(total)

    def _turning(self, moment: Moment, angle: Signal) -> Signal:
        """Shaft orders 1, 2, 3 and the vane pass with its double, at fixed angles between axes."""
        t = self._traits
        orders = np.array([1, 2, 3, t.vanes, 2 * t.vanes], np.float32)
        off_best = 0.35 + 1.6 * abs(moment.flow_share - 0.95) + self._effect.vane_pass * moment.worn
        imbalance = t.imbalance * (
            1 + self._effect.imbalance * moment.worn
        )  # an eroded impeller loses balance
        size = np.array(
            [
                imbalance,
                t.misalignment * (0.3 + 0.7 * moment.demand),
                0.35 * t.misalignment,
                t.vane_pass * off_best,
                0.4 * t.vane_pass * off_best,
            ]
        )
        angles = orders[:, None] * angle
        weights = size * moment.turn**2 * np.array([[1.0], [0.8]])  # stiffer across than along
        cosines = (weights * np.cos(t.phases)).astype(np.float32)
        sines = (weights * np.sin(t.phases)).astype(np.float32)
        shaken: Signal = cosines @ np.cos(angles) - sines @ np.sin(angles)
        shaken += np.float32(t.hum * moment.demand) * _HUM
        return shaken

    def _rustle(self, moment: Moment, angle: Signal, rng: np.random.Generator) -> Signal:
        """Broadband excitation: rolling and flow noise, and bubbles that collapse in step with the vanes."""
        t = self._traits
        roughness = t.roughness * moment.turn**1.5 * (1 + 0.9 * moment.bearing**2)
        noise = rng.standard_normal((2, WINDOW), dtype=np.float32)
        noise *= np.float32(roughness)
        if moment.cavitation > 0:
            beat = 1 + 0.6 * np.cos(t.vanes * angle)
            bubbles = rng.standard_normal(WINDOW, dtype=np.float32) * beat
            noise += np.float32(2.2 * moment.cavitation * moment.turn**2) * bubbles
        return noise

    def _strikes(
        self, moment: Moment, mode: Mode, shaft_hz: float, rng: np.random.Generator
    ) -> Signal | None:
        """Impacts of a spall as a train of uneven pulses between samples; None where there is none."""
        rate, modulation, depth = _defect(self._traits.bearing, mode)
        if moment.bearing <= 0 or rate == 0:
            return None
        count = int(rate * shaft_hz * WINDOW / RATE_HZ) + 2
        gaps = (1 + SLIP * rng.standard_normal(count)) / (rate * shaft_hz)
        at = (np.cumsum(gaps) - rng.random() * gaps[0]) * RATE_HZ
        sway = 1 + depth * np.cos(
            2 * np.pi * modulation * shaft_hz * at / RATE_HZ + rng.uniform(0, 2 * np.pi)
        )
        hardness = STRIKE * moment.bearing**0.65 * moment.turn * (0.55 + 0.45 * moment.demand)
        force = hardness * sway * (1 + 0.2 * rng.standard_normal(count))
        return _pulses(at, force)


STRIKE = 75.0  # m/s2 of excitation by a failed bearing at rated speed and load


def quantise(acceleration: NDArray[np.floating]) -> Signal:
    """What a 16-bit converter of +-50 g makes of ``acceleration``."""
    counts = np.rint(acceleration / STEP)
    clipped: Signal = (np.clip(counts, -32768, 32767) * STEP).astype(np.float32)
    return clipped


def _defect(bearing: Bearing, mode: Mode) -> tuple[float, float, float]:
    """(impacts a turn, order of their modulation, its depth) of a defect.

    An inner race passes through the load zone once a turn, a ball once a turn
    of the cage; an outer race stays in it.
    """
    match mode:
        case Mode.OUTER_RACE:
            return bearing.outer_race, 1.0, 0.12
        case Mode.INNER_RACE:
            return bearing.inner_race, 1.0, 0.75
        case Mode.BALL:
            return 2 * bearing.ball_spin, bearing.cage, 0.7
        case Mode.IMPELLER:
            return 0.0, 0.0, 0.0


def _shaft(moment: Moment, rng: np.random.Generator) -> tuple[Signal, float]:
    """Angle of the shaft over the window, with a little torsional wobble, and its frequency."""
    hertz = moment.turn * RATED_SPEED / 60 * (1 + 0.0008 * float(rng.standard_normal()))
    start, wobble = rng.uniform(0, 2 * np.pi, 2)
    omega = np.float32(2 * np.pi * hertz)
    wobbling = np.float32(0.03) * np.sin(np.float32(0.21) * omega * _TIME + np.float32(wobble))
    return np.float32(start) + omega * _TIME + wobbling, hertz


def _pulses(at: NDArray[np.float64], force: NDArray[np.float64]) -> Signal:
    """Each pulse shared between the two samples around its moment."""
    inside = (at >= 0) & (at < WINDOW - 1)
    at, force = at[inside], force[inside]
    whole = at.astype(np.intp)
    part = at - whole
    train = np.bincount(whole, force * (1 - part), WINDOW) + np.bincount(whole + 1, force * part, WINDOW)
    return train.astype(np.float32)


def _response(resonance_hz: float, damping: float) -> NDArray[np.complex64]:
    """From excitation to acceleration: a direct path and two modes of the housing."""
    response = np.full(len(_FREQUENCY), 0.22 + 0j)
    for hertz, zeta, gain in ((resonance_hz, damping, 1.0), (0.38 * resonance_hz, 1.6 * damping, 0.3)):
        ratio = _FREQUENCY / hertz
        response += gain * 2 * zeta * 1j * ratio / (1 - ratio**2 + 2j * zeta * ratio)
    return response.astype(np.complex64)
