"""Machines made up for tests of training: they wear out plainly, by one of two faults, and some still run."""

from dataclasses import replace
from typing import Any

import numpy as np

from kernels import sets
from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from models.use_case import Task, UseCase

NAMES = ("wear", "high", "low", "noise", "load", "level")
FAULTS = ("ball", "outer race")
READINGS = ("wear", "speed")  # of machines that are run under conditions

SETTINGS: dict[str, Any] = {
    "title": "Machines made up",
    "machine_class": "made-up",
    "feature_set": "trend/1",
    "signals": [{"name": "wear", "unit": "1"}],
    "life": {"measured_in": "readings", "unit": "{cycle}", "cap": 60.0, "least_failures": 4},
    "network": {"hidden": [16], "dropout": 0.0},
    "budget": {"members": 3, "epochs": 12, "batch": 64, "learning_rate": 1e-2, "oracle": {"rounds": 30}},
    "costs": {"currency": "EUR", "failure": 100.0, "planned": 10.0, "false_alarm": 1.0},
}


def use_case(task: Task, **parts: Any) -> UseCase:
    """A use case of ``task`` for these machines; ``parts`` add to its settings or take their place."""
    faults = {} if task == "anomaly" else {"faults": {"classes": list(FAULTS)}}
    return UseCase.model_validate({**SETTINGS, **faults, **parts, "task": task, "name": "made-up"})


def machines(count: int = 12, running: int = 2, *, length: int = 80) -> Examples:
    """``count`` machines of one life each, the last ``running`` of which have not failed."""
    rng = np.random.default_rng(11)
    lengths = length + 3 * np.arange(count)
    machine = np.repeat(np.arange(count), lengths).astype(np.int32)
    age = np.concatenate([np.arange(length) for length in lengths]).astype(np.float32)
    left = lengths[machine].astype(np.float32) - age - 1
    worn, fault = np.exp(-left / 25), machine % 2
    features = rng.normal(size=(len(left), len(NAMES))).astype(np.float32)
    features[:, 0] += 12 * worn
    features[:, 1] += np.where(fault == 0, 12, 0) * worn
    features[:, 2] -= np.where(fault == 1, 12, 0) * worn
    failed = machine < count - running
    faulty, sound = failed & (left < 25), left > 50
    examples = Examples(
        machines=tuple(f"made-{number:02}" for number in range(count)),
        sites=("plant-1",) * count,
        faults=FAULTS,
        names=NAMES,
        units=("1",) * len(NAMES),
        machine=machine,
        times=np.arange(len(left), dtype=np.int64) * 3_600_000_000,
        life=np.ones(len(left), np.int32),
        age=age,
        remaining=np.where(failed, left, np.nan).astype(np.float32),
        health=np.where(faulty, FAULTY, np.where(sound, SOUND, UNKNOWN)).astype(np.int8),
        fault=np.where(faulty, fault, -1).astype(np.int16),
        features=features,
    )
    return examples.where(failed | (left > 40))


def under_conditions() -> UseCase:
    """Remaining life of ``at_two_speeds``."""
    return use_case(
        "remaining-life",
        feature_set="condition-trend/1",
        signals=[{"name": name, "unit": "1"} for name in READINGS],
        conditions={"signals": ["speed"], "count": 2},
        gate={"must_beat": ["mean remaining life"]},
        faults=None,
    )


def at_two_speeds() -> Examples:
    """Stored rows of machines run at two speeds, which move their one signal far more than wear does."""
    plain = machines(16, 2)
    rng = np.random.default_rng(5)
    fast = rng.random(len(plain)) < 0.5
    readings = np.stack([plain.features[:, 0] / 4 + 40 * fast, 1000 + 500 * fast], axis=1)
    extractor = sets.make("condition-trend/1", scalars=READINGS)
    features = np.zeros((len(plain), extractor.width), np.float32)
    for machine in range(16):
        own = plain.machine == machine
        features[own] = extractor.batch(plain.times[own], readings[own])
    return replace(plain, names=extractor.names, units=extractor.units, features=features, faults=())
