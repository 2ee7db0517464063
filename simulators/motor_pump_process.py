"""The slow side of a motor-pump set: speed, flow, pressure, current, temperature, cavitation.

Pump affinity laws give flow, head and power from speed; what damage does to
them is small on purpose: a plant that could read wear off its flow meter would
need no vibration sensor.
"""

from dataclasses import dataclass

import numpy as np

from simulators.motor_pump_life import LifeTable, Mode
from simulators.motor_pump_traits import RATED_SPEED, Array, Traits
from simulators.motor_pump_variety import USUAL, Effect, Variety

SCALARS: tuple[tuple[str, str], ...] = (  # name, UCUM unit
    ("temperature", "Cel"),
    ("pressure", "bar"),
    ("flow", "L/min"),
    ("current", "A"),
    ("speed", "1/min"),
)
NOISE = np.array([0.15, 0.02, 4.0, 0.15, 1.5])  # standard deviation of each sensor
RESOLUTION = np.array([0.1, 0.01, 1.0, 0.1, 1.0])


@dataclass(frozen=True, slots=True)
class Process:
    """The true state at each of n moments of one life; every column has n values."""

    demand: Array
    damage: Array
    bearing: Array  # the part of the damage that strikes: 0 where the impeller wears
    speed: Array  # 1/min
    flow_share: Array  # of the flow at which the pump is at its best
    cavitation: Array  # 0 none .. about 1.5 severe
    scalars: Array  # (n, 5) in the order of SCALARS, before the sensors


def process_at(traits: Traits, table: LifeTable, seconds: Array, variety: Variety = USUAL) -> Process:
    """What the machine does at ``seconds`` (UTC), all within the life of ``table``."""
    at = table.duty.seconds()
    effect = variety.erosion.effect
    demand = np.interp(seconds, at, table.duty.demand)
    damage = np.interp(seconds, at, table.damage)
    worn = damage if table.life.mode is Mode.IMPELLER else np.zeros_like(damage)
    turn = (0.60 + 0.40 * demand) * (1.012 - 0.012 * demand)  # converter, then slip under load
    share = demand / turn * (1 - effect.flow * worn)
    cavitation = _cavitation(np.interp(seconds, at, table.duty.inlet), turn, share, worn, effect)
    pressure = traits.rated_pressure * turn**2 * (1.22 - 0.22 * share**2) * (1 - effect.head * worn)
    power = turn**3 * (0.45 + 0.55 * share) * (1 + 0.03 * damage) * (1 + effect.power * worn)
    scalars = np.column_stack(
        [
            np.interp(seconds, at, table.temperature),
            pressure * (1 - 0.03 * cavitation),
            traits.rated_flow * turn * share * (1 - 0.04 * cavitation),
            traits.rated_current * (0.28 + 0.72 * power),
            RATED_SPEED * turn,
        ]
    )
    return Process(
        demand=demand,
        damage=damage,
        bearing=damage - worn,
        speed=RATED_SPEED * turn,
        flow_share=share,
        cavitation=cavitation,
        scalars=scalars,
    )


def sense(rng: np.random.Generator, scalars: Array, scale: float = 1.0) -> Array:
    """What the transmitters report: noise (``scale`` times the usual), then the last digit they show."""
    noisy = scalars + NOISE * scale * rng.standard_normal(scalars.shape)
    shown: Array = np.round(np.round(noisy / RESOLUTION) * RESOLUTION, 2)
    return shown


def _cavitation(inlet: Array, turn: Array, share: Array, worn: Array, effect: Effect) -> Array:
    """Bubbles form where the inlet pressure falls short of what speed and flow require (NPSH)."""
    required = 0.12 + 0.30 * turn**2 * share**2 + effect.required * worn
    shortfall = (required - inlet) / 0.08
    bubbles: Array = np.clip(shortfall, 0.0, 1.5) + effect.bubbles * worn
    return bubbles
