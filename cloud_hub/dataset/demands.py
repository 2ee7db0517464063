"""What a use case demands of its data before training makes sense; each refusal counts what there is."""

import numpy as np
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from models.examples import FAULTY, SOUND, Examples
from models.use_case import UseCase

LEAST_MACHINES = 4  # to learn from, to stop early on, and to hold out
IMPORT = "import more labels with `andon data import`, or wait for more"


def demand(examples: Examples, use_case: UseCase) -> None:
    """DatasetError where ``examples`` cannot carry a training of ``use_case``."""
    {
        "remaining-life": _failures,
        "anomaly": _sound_machines,
        "fault-class": _classes,
    }[use_case.task](examples, use_case)


def warnings(examples: Examples, use_case: UseCase) -> list[str]:
    """What a training can do without and its model will not: classes that hardly ever came."""
    if use_case.faults is None or use_case.task == "fault-class":
        return []
    lives = _lives_by_class(examples)
    scarce = [f"{name} {lives[name]}" for name in lives if lives[name] < use_case.faults.least_lives]
    return [f"fewer than {use_case.faults.least_lives} lives with {', '.join(scarce)}"] if scarce else []


def life_of_rows(examples: Examples) -> NDArray[np.int64]:
    """[n] a number for each life, rising with the rows, which are sorted by machine, then time."""
    begins = np.ones(len(examples), np.bool_)
    begins[1:] = (np.diff(examples.machine) != 0) | (np.diff(examples.life) != 0)
    return np.cumsum(begins)


def _failures(examples: Examples, use_case: UseCase) -> None:
    lives = len(np.unique(life_of_rows(examples)[examples.failed]))
    machines = len(np.unique(examples.machine[examples.failed]))
    if lives < use_case.life.least_failures or machines < LEAST_MACHINES:
        raise DatasetError(
            f"expected at least {use_case.life.least_failures} failures on {LEAST_MACHINES} machines "
            f"for {use_case.name}, got {lives} on {machines} (of {len(examples.machines)} machines with "
            f"{len(examples)} rows): import failures with `andon data import`, or wait for more"
        )


def _sound_machines(examples: Examples, use_case: UseCase) -> None:
    machines = len(np.unique(examples.machine[examples.health == SOUND]))
    if machines < LEAST_MACHINES:
        raise DatasetError(
            f"expected rows known to be sound on at least {LEAST_MACHINES} machines for {use_case.name}, got "
            f"them on {machines}: declare anomaly.healthy_rows where machines start sound, or {IMPORT}"
        )


def _classes(examples: Examples, use_case: UseCase) -> None:
    """At least two of sound and the fault classes, each fault in enough lives."""
    assert use_case.faults is not None
    lives = _lives_by_class(examples)
    there = {name: count for name, count in lives.items() if count}
    sound = bool((examples.health == SOUND).any())
    if len(there) + sound < 2:
        only = next(iter(there), "sound" if sound else "nothing")
        raise DatasetError(
            f"expected rows of two classes at least for {use_case.name}, got one: {only}; {IMPORT}"
        )
    scarce = [f"{name} {count}" for name, count in lives.items() if count < use_case.faults.least_lives]
    if scarce:
        raise DatasetError(
            f"expected {use_case.faults.least_lives} lives with each fault of {use_case.name}, got "
            f"{', '.join(scarce)}: {IMPORT}, or take the class out of the use case"
        )


def _lives_by_class(examples: Examples) -> dict[str, int]:
    faulty, lives = examples.health == FAULTY, life_of_rows(examples)
    return {
        name: len(np.unique(lives[faulty & (examples.fault == number)]))
        for number, name in enumerate(examples.faults)
    }
