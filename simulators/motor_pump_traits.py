"""What makes one motor-pump set differ from the next: drawn once from (seed, machine name).

Streams of randomness are keyed by purpose and index, never shared, so any
moment of any machine can be computed without computing what came before it.
"""

from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from simulators.motor_pump_variety import USUAL, Variety

Array = NDArray[np.float64]

BALLS, BALL_MM, PITCH_MM = 9, 7.94, 39.04  # as the catalogue has it of a 6205, contact angle 0
RATED_SPEED = 2965.0  # 1/min: a two-pole motor on 50 Hz, behind a frequency converter


class Stream(IntEnum):
    """What a random stream is for; streams with different numbers are independent."""

    TRAITS = 0
    LIFE = 1
    SENSORS = 2
    WINDOW = 3
    OVERHAUL = 4


def stream(seed: int, machine: str, purpose: Stream, index: int = 0) -> np.random.Generator:
    """The random numbers of ``machine`` for ``purpose``: the same arguments, the same numbers."""
    return np.random.default_rng((seed, crc32(machine.encode()), int(purpose), index))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Defect frequencies as multiples of the shaft's (orders).

    From the geometry of a 6205-like deep-groove ball bearing (9 balls of 7.94 mm
    on a pitch of 39.04 mm); see Randall & Antoni, "Rolling element bearing
    diagnostics - a tutorial", MSSP 25 (2011), eq. 1-4.
    """

    outer_race: float  # BPFO
    inner_race: float  # BPFI
    ball_spin: float  # BSF; a defect strikes both races, hence impacts at twice this
    cage: float  # FTF

    @classmethod
    def of_geometry(cls, *, balls: int, ball_mm: float, pitch_mm: float, contact_rad: float) -> "Bearing":
        ratio = ball_mm / pitch_mm * float(np.cos(contact_rad))
        return cls(
            outer_race=balls / 2 * (1 - ratio),
            inner_race=balls / 2 * (1 + ratio),
            ball_spin=pitch_mm / (2 * ball_mm) * (1 - ratio**2),
            cage=(1 - ratio) / 2,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One machine, as built and as installed. Accelerations in m/s2 at rated speed."""

    bearing: Bearing
    week: Array  # demand by hour of the week (168, Monday 00:00 UTC first), 1 = rated
    rated_flow: float  # L/min
    rated_pressure: float  # bar
    rated_current: float  # A
    heat: float  # K above ambient at rated load
    suction: float  # bar, usual pressure at the inlet
    vanes: int
    imbalance: float
    misalignment: float
    vane_pass: float
    hum: float  # at twice the mains frequency
    roughness: float  # rolling and flow noise that excites the housing
    resonance_hz: tuple[float, float]  # per axis
    damping: tuple[float, float]
    transmission: tuple[float, float]  # how much of an impact reaches each axis
    phases: Array  # (2, 5) rad, of each axis' shaft orders


def draw_traits(seed: int, machine: str, variety: Variety = USUAL) -> Traits:
    rng = stream(seed, machine, Stream.TRAITS)

    def between(low: float, high: float) -> float:
        return variety.between(rng, low, high)

    contact = between(0.0, 0.25)
    return Traits(
        bearing=Bearing.of_geometry(balls=BALLS, ball_mm=BALL_MM, pitch_mm=PITCH_MM, contact_rad=contact),
        week=_draw_week(rng, variety),
        rated_flow=between(900, 1500),
        rated_pressure=between(4.2, 6.0),
        rated_current=between(28, 46),
        heat=between(20, 30),
        suction=between(0.42, 0.62),
        vanes=int(rng.integers(5, 8)),
        imbalance=between(1.2, 2.8),
        misalignment=between(0.4, 1.4),
        vane_pass=between(0.6, 1.5),
        hum=between(0.1, 0.35),
        roughness=between(0.8, 1.3),
        resonance_hz=(between(2700, 3500), between(3600, 4700)),
        damping=(between(0.03, 0.06), between(0.03, 0.06)),
        transmission=(between(0.8, 1.2), between(0.5, 0.9)),
        phases=rng.uniform(0, 2 * np.pi, (2, 5)),
    )


def _draw_week(rng: np.random.Generator, variety: Variety) -> Array:
    """Shifts 6-14, 14-22 and 22-6 at their own levels, weekends at a fraction."""
    early, late = variety.between(rng, 0.85, 1.0), variety.between(rng, 0.7, 1.0)
    night = variety.between(rng, 0.35, 0.8)
    weekend = variety.between(rng, 0.45, 0.85)
    day = np.array([night] * 6 + [early] * 8 + [late] * 8 + [night] * 2)
    return np.concatenate([np.tile(day, 5), np.tile(day * weekend, 2)]).clip(0.25, 1.05)
