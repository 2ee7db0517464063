"""C-MAPSS engines as examples: what ingest and dataset would have made of them, without the way through them."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels import sets
from models import use_case
from models.examples import UNKNOWN, Examples

TURBOFAN = use_case.find("turbofan-rul")
EXTRACTOR = sets.make(TURBOFAN.feature_set, scalars=[signal.name for signal in TURBOFAN.signals])


def lines_of(folder: Path, name: str) -> NDArray[np.float64]:
    plain = folder / name
    if plain.exists():
        return np.loadtxt(plain)
    with gzip.open(folder / f"{name}.gz", "rt") as file:
        return np.loadtxt(file)


def features_of(folder: Path, name: str) -> list[NDArray[np.float32]]:
    """For each unit of a file, its features as a device would send them [cycles, width]."""
    rows = lines_of(folder, name)
    units = [rows[rows[:, 0] == unit] for unit in np.unique(rows[:, 0])]
    return [EXTRACTOR.batch(np.arange(len(unit)), unit[:, 2:]) for unit in units]


def examples_of(lives: list[NDArray[np.float32]]) -> Examples:
    """One machine a life, each run to failure."""
    lengths = [len(life) for life in lives]
    age = np.concatenate([np.arange(length) for length in lengths])
    left = np.concatenate([np.arange(length)[::-1] for length in lengths])
    return Examples(
        machines=tuple(f"engine-{number:03}" for number in range(len(lives))),
        sites=("plant-1",) * len(lives),
        faults=(),
        names=EXTRACTOR.names,
        units=EXTRACTOR.units,
        machine=np.repeat(np.arange(len(lives)), lengths).astype(np.int32),
        times=age.astype(np.int64) * 3_600_000_000,
        life=np.ones(len(age), np.int32),
        age=age.astype(np.float32),
        remaining=left.astype(np.float32),
        health=np.full(len(age), UNKNOWN, np.int8),
        fault=np.full(len(age), -1, np.int16),
        features=np.concatenate(lives),
    )
