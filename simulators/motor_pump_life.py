"""One life of a motor-pump set: from a fresh bearing to failure or to a planned overhaul.

Damage follows a Paris-like law, dD/dtau = C * D**m, from a small first spall to
D = 1 (failure), where tau is time weighted by how hard the machine works. For
m > 1 the law integrates in closed form, so a whole life is one vectorised
expression and no step depends on how often anyone looks.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from simulators.motor_pump_duty import DAY_S, GRID_S, HOUR_S, Duty, plan_duty
from simulators.motor_pump_traits import Array, Stream, Traits, stream
from simulators.motor_pump_variety import USUAL, Variety

FIRST_SPALL = 0.05  # damage when the surface first breaks
THERMAL_LAG_S = 50 * 60.0
OVERHAULED = 0.08  # share of lives that a planned overhaul ends first
SHORTEST, LONGEST = 0.45, 2.1  # of the median: a broad spread, yet neither a day nor a year


class Mode(StrEnum):
    OUTER_RACE = "outer race"
    INNER_RACE = "inner race"
    BALL = "ball"
    IMPELLER = "impeller"  # eroded by cavitation; the bearing stays sound


MODES = (Mode.OUTER_RACE, Mode.INNER_RACE, Mode.BALL, Mode.IMPELLER)
MODE_SHARES = (0.42, 0.28, 0.16, 0.14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The truth about one life; times are UTC microseconds."""

    number: int  # 1 is the life the machine was in when the simulation began
    mode: Mode  # what was wearing out
    failed: bool  # False: overhauled before it could fail
    start_us: int
    end_us: int  # the machine stops here ...
    restart_us: int  # ... and runs again from here, as new
    damaged_us: int | None  # when the first damage came; None: none before the end
    sound: bool  # overhauled by a plan that comes before damage, and torn down: nothing was found


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeTable:
    """A life with everything the sensors will see of it, on the grid of its duty."""

    life: Life
    duty: Duty
    damage: Array  # 0 sound .. 1 failed
    temperature: Array  # Cel, of the bearing housing, before sensor noise


def live(
    traits: Traits,
    *,
    seed: int,
    machine: str,
    number: int,
    begin_s: float,
    median_days: float,
    variety: Variety = USUAL,
) -> LifeTable:
    """Life ``number`` of a machine, beginning at ``begin_s`` (UTC seconds).

    The first life began before the simulation did: machines in a plant are not all new on the same day.
    """
    rng = stream(seed, machine, Stream.LIFE, number)
    length_s = _draw_length(rng, median_days, variety)
    start_s = begin_s - (float(rng.uniform(0.0, 0.5)) * length_s if number == 1 else 0.0)
    mode = MODES[int(rng.choice(len(MODES), p=MODE_SHARES))]
    duty = plan_duty(traits, rng, start_s=start_s, length_s=1.35 * length_s + 9 * DAY_S, variety=variety)
    damage, failure_s = _wear(rng, duty, length_s, variety)
    expected_s = _worn_out_s(duty.start_s, duty.expected, length_s)
    planned_s = _plan_overhaul(rng, start_s, expected_s)
    sound_s = _sound_until(stream(seed, machine, Stream.OVERHAUL, number), start_s, expected_s, variety)
    if sound_s:
        damage, planned_s = np.zeros_like(damage), sound_s
    failed = not sound_s and not begin_s < planned_s < failure_s
    end_s = failure_s if failed else planned_s
    life = Life(
        number=number,
        mode=mode,
        failed=failed,
        start_us=round(start_s * 1e6),
        end_us=round(end_s * 1e6),
        restart_us=round((end_s + float(rng.uniform(3, 10)) * HOUR_S) * 1e6),
        damaged_us=_damaged_us(duty, damage, end_s),
        sound=bool(sound_s),
    )
    return LifeTable(life=life, duty=duty, damage=damage, temperature=_temperature(traits, duty, damage))


def _sound_until(rng: np.random.Generator, start_s: float, failure_s: float, variety: Variety) -> float:
    """When an overhaul ends a life that is still without damage; 0 for lives without such a plan."""
    planned, share = float(rng.random()) < variety.healthy, float(rng.uniform(0.6, 1.0))
    return start_s + share * (failure_s - start_s) if planned else 0.0


def _damaged_us(duty: Duty, damage: Array, end_s: float) -> int | None:
    """When damage first came, if that was before ``end_s``."""
    damaged = np.flatnonzero(damage > 0)
    first_s = duty.start_s + GRID_S * float(damaged[0]) if len(damaged) else end_s
    return round(first_s * 1e6) if first_s < end_s else None


def _plan_overhaul(rng: np.random.Generator, start_s: float, failure_s: float) -> float:
    """When a planned overhaul comes before the failure would; 0 for the many lives without one."""
    planned, share = float(rng.random()) < OVERHAULED, float(rng.uniform(0.55, 0.95))
    return start_s + share * (failure_s - start_s) if planned else 0.0


def _draw_length(rng: np.random.Generator, median_days: float, variety: Variety) -> float:
    spread = float(np.exp(rng.normal(0.0, 0.42 * variety.spread)))
    shortest, longest = (float(limit**variety.spread) for limit in (SHORTEST, LONGEST))
    return median_days * DAY_S * min(max(spread, shortest), longest)


def _wear(rng: np.random.Generator, duty: Duty, length_s: float, variety: Variety) -> tuple[Array, float]:
    """Damage on the grid, and when it reaches 1. ``length_s`` is the life at average hardship."""
    sound_s = variety.between(rng, 0.2, 0.6) * length_s  # before the first spall
    growth_s = length_s - sound_s
    exponent = variety.between(rng, 1.2, 1.6)
    worked = _worked(duty.hardship)
    share = np.clip((worked - sound_s) / growth_s, 0.0, 1.0)
    first = FIRST_SPALL ** (1 - exponent)
    damage = (first - (first - 1) * share) ** (1 / (1 - exponent))
    damage[worked < sound_s] = 0.0
    return damage, _worn_out_s(duty.start_s, duty.hardship, length_s)


def _worn_out_s(start_s: float, hardship: Array, length_s: float) -> float:
    """When a life of ``length_s`` at average hardship has been worked off, in UTC seconds."""
    worked = _worked(hardship)
    end = min(float(np.interp(length_s, worked, np.arange(len(worked)))), len(worked) - 2.0)
    return start_s + GRID_S * end


def _worked(hardship: Array) -> Array:
    """Seconds at average hardship that have been worked up to each point of the grid."""
    return np.concatenate([[0.0], np.cumsum(hardship[:-1]) * GRID_S])


def _temperature(traits: Traits, duty: Duty, damage: Array) -> Array:
    """Losses heat the housing through a first-order lag; a rough bearing adds friction."""
    losses = traits.heat * (0.35 + 0.65 * duty.demand**2)
    friction = 24.0 * damage**1.3 * (0.4 + 0.6 * duty.demand)
    steps = np.arange(int(6 * THERMAL_LAG_S / GRID_S))
    kernel = np.exp(-steps * GRID_S / THERMAL_LAG_S)
    rise = losses + friction
    padded = np.concatenate([np.full(len(kernel) - 1, rise[0]), rise])
    return duty.ambient + np.convolve(padded, kernel / kernel.sum(), "valid")
