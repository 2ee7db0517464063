"""What the plant asks of a pump hour by hour, and what the weather and the inlet do meanwhile.

Everything is tabulated once a life on a ten-minute grid and interpolated, so a
moment costs a lookup, whatever the distance between readings.
"""

from dataclasses import dataclass

import numpy as np

from simulators.motor_pump_traits import Array, Traits
from simulators.motor_pump_variety import USUAL, Shift, Variety
from wire.clock import MICROSECONDS

GRID_S = 600.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
YEAR_S = 365.2425 * DAY_S
EPOCH_WEEKDAY_S = 3 * DAY_S  # 1970-01-01 was a Thursday; weeks here start on Monday
LEAST, MOST = 0.2, 1.12  # demand that a machine usually runs at
PUSHED = 1.25  # what it gives at most when the plant asks for more: 55 Hz of its converter


@dataclass(frozen=True, slots=True)
class Duty:
    """The conditions of one life on its grid; each column has one value a grid point."""

    start_s: float  # UTC seconds of the first grid point
    demand: Array  # 1 = rated
    inlet: Array  # bar
    ambient: Array  # Cel
    hardship: Array  # how fast wear goes compared with the long-run mean of this machine
    expected: Array  # hardship without any shift: what overhauls are planned by

    def seconds(self) -> Array:
        return _grid(self.start_s, len(self.demand))


def plan_duty(
    traits: Traits,
    rng: np.random.Generator,
    *,
    start_s: float,
    length_s: float,
    variety: Variety = USUAL,
) -> Duty:
    points = int(length_s / GRID_S) + 2
    seconds = _grid(start_s, points)
    scale = variety.spread
    usual = _demand(traits, rng, seconds, scale)
    demand = _shifted(usual, seconds, variety.shift) if variety.shift else usual
    inlet, ambient = _inlet(traits, rng, seconds, scale), _ambient(rng, seconds, scale)
    luck = _luck(rng, points, scale)
    return Duty(
        start_s=start_s,
        demand=demand,
        inlet=inlet,
        ambient=ambient,
        hardship=_hardship(traits, demand, luck),
        expected=_hardship(traits, usual, luck),
    )


def _grid(start_s: float, points: int) -> Array:
    return start_s + GRID_S * np.arange(points, dtype=np.float64)


def _demand(traits: Traits, rng: np.random.Generator, seconds: Array, scale: float) -> Array:
    hour_of_week = ((seconds + EPOCH_WEEKDAY_S) / HOUR_S) % 168
    planned = np.interp(hour_of_week, np.arange(169), np.append(traits.week, traits.week[0]))
    busy = _wander(rng, len(seconds), every_s=3 * HOUR_S, size=0.07 * scale)
    season = _wander(rng, len(seconds), every_s=4 * DAY_S, size=0.05 * scale)
    asked: Array = np.clip(planned * (1 + busy + season), LEAST, MOST)
    return asked


def _shifted(demand: Array, seconds: Array, shift: Shift) -> Array:
    """``demand`` from the moment of ``shift`` on; between points of the grid nothing happens before it."""
    since = seconds - GRID_S >= shift.from_us / MICROSECONDS
    return np.where(since, np.clip(demand * shift.demand, LEAST, PUSHED), demand)


def _inlet(traits: Traits, rng: np.random.Generator, seconds: Array, scale: float) -> Array:
    """The feed tank falls through the working day and is filled overnight."""
    daily = 0.06 * np.cos(2 * np.pi * (seconds / DAY_S - 0.15))
    return traits.suction + daily + _wander(rng, len(seconds), every_s=9 * HOUR_S, size=0.07 * scale)


def _ambient(rng: np.random.Generator, seconds: Array, scale: float) -> Array:
    season = 7.0 * np.cos(2 * np.pi * (seconds / YEAR_S - 0.55))
    daily = 3.5 * np.cos(2 * np.pi * (seconds / DAY_S - 0.625))
    return 19.0 + season + daily + _wander(rng, len(seconds), every_s=18 * HOUR_S, size=2.0 * scale)


def _luck(rng: np.random.Generator, points: int, scale: float) -> Array:
    """Grease and dirt, as a factor of wear."""
    luck: Array = np.exp(_wander(rng, points, every_s=1.5 * DAY_S, size=0.25 * scale))
    return luck


def _hardship(traits: Traits, demand: Array, luck: Array) -> Array:
    """Bearing life goes with the cube of the load (ISO 281), and with luck."""
    hardship: Array = demand**3 / float(np.mean(traits.week**3)) * luck
    return hardship


def _wander(rng: np.random.Generator, points: int, *, every_s: float, size: float) -> Array:
    """Noise without steps: independent knots ``every_s`` apart, straight lines between."""
    knots = rng.normal(0.0, size, int(points * GRID_S / every_s) + 2)
    line: Array = np.interp(np.arange(points) * (GRID_S / every_s), np.arange(len(knots)), knots)
    return line
