"""Parts of the held-out rows that are looked at apart: sites and operating conditions. Pure.

A model may be better on the whole and worse for one plant; whoever runs that
plant has to hear of it before the rollout does.
"""

import numpy as np

from kernels.conditions import UNKNOWN, ConditionTable
from models.conditions import conditions_of, learn
from models.errors import FitError
from models.examples import Examples, Mask
from models.use_case import UseCase


def cuts(examples: Examples, readings: Examples, table: ConditionTable | None) -> dict[str, Mask]:
    """Masks [n] of ``examples`` by name, where there is more than one part to tell apart.

    ``readings`` are the rows as they are stored, at least those of ``examples``; their features hold
    ``<signal>.last`` of what ``table`` needs.
    """
    sites = np.array(examples.sites)[examples.machine]
    names = sorted({*sites.tolist()})
    parts: dict[str, Mask] = {f"site {name}": sites == name for name in names} if len(names) > 1 else {}
    return parts | (_by_condition(_same_rows(readings, examples), table) if table else {})


def table_of(learning: Examples, use_case: UseCase) -> tuple[ConditionTable | None, str]:
    """The operating conditions of machines that taught, or why there are none to tell apart.

    For a feature set whose models do without a table: it serves to look, so its absence stops nothing.
    """
    if use_case.conditions is None:
        return None, "the use case names no operating conditions"
    try:
        return learn(learning, use_case.conditions, seed=use_case.budget.seed), ""
    except FitError as error:
        return None, str(error)


def _same_rows(readings: Examples, examples: Examples) -> Examples:
    """Of ``readings`` those with the machines and moments of ``examples``, which they all hold."""
    if len(readings) == len(examples):
        return readings
    wanted = {*zip(examples.machine.tolist(), examples.times.tolist(), strict=True)}
    moments = zip(readings.machine.tolist(), readings.times.tolist(), strict=True)
    return readings.where(np.array([moment in wanted for moment in moments]))


def _by_condition(examples: Examples, table: ConditionTable) -> dict[str, Mask]:
    condition = conditions_of(examples, table)
    present = np.unique(condition).tolist()
    names = {number: _name(table, number) for number in present}
    return {names[number]: condition == number for number in present} if len(present) > 1 else {}


def _name(table: ConditionTable, number: int) -> str:
    """Such as "condition speed 1480, load 0.8": where it lies, in the signals' own units."""
    if number == UNKNOWN:
        return "condition unknown"
    centre = zip(table.signals, table.centres[number], table.scale, strict=True)
    return "condition " + ", ".join(f"{signal} {value * scale:.4g}" for signal, value, scale in centre)
