"""Fleets as drift sees them, drawn: machines that differ, wear out, and are predicted to."""

import numpy as np

from cloud_hub.monitor.seen import Seen

HOUR_US = 3_600_000_000
FEATURES = 8
LIFE_H = 480


def fleet(
    rng, *, machines, hours, shift=0.0, shifted=4, worn=None, conditions=1, mix=None, differ=0.4, first=0
) -> Seen:
    """Hourly rows of ``machines``, ``hours`` of each, beginning anywhere in lives of some 20 days.

    ``shift``: standard deviations of noise that ``shifted`` features lie higher; ``worn``: share of life
    at the beginning, else any; ``mix``: shares of the conditions; ``differ``: what machines differ by.
    """
    parts = []
    for number in range(machines):
        life = LIFE_H * np.exp(rng.normal(0, 0.3))
        begin = life * (rng.uniform(0, 0.98) if worn is None else worn)
        age = begin + np.arange(hours)
        age = np.where(age < life, age, (age - life) % life)  # repaired, it begins again
        wear = (age / life) ** 3
        condition = rng.choice(conditions, hours, p=mix)
        level = np.arange(FEATURES) % 3 * wear[:, None] * 3 + condition[:, None] * 2.0
        slow = np.cumsum(rng.normal(0, 0.1, (hours, FEATURES)), axis=0) * 0.3
        values = level + rng.normal(0, differ, FEATURES) + slow + rng.normal(size=(hours, FEATURES))
        values[:, :shifted] += shift
        told = np.clip(life - age, 0, 250) + rng.normal(0, 25, hours)
        parts.append((np.full(hours, number + first), condition, age, values, told))
    machine, condition, age, values, told = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Seen(
        variables=(*(f"f{number}" for number in range(FEATURES)), "remaining_life"),
        health=(FEATURES,),
        machine=machine.astype(np.int32),
        times=np.tile(np.arange(hours) * HOUR_US, machines),
        condition=condition.astype(np.int16),
        band=np.clip(told // 60, 0, 3).astype(np.int8),
        age=age.astype(np.float32),
        values=np.column_stack([values, told]).astype(np.float32),
    )
