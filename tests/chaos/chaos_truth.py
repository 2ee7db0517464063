"""What the sources produced, on disk before anybody was handed it: the side of the comparison that nothing can spoil.

A feed is one live source beside one agent; a clone has a feed of its own for the same device.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wire.table import Machine, Signal, SignalTable

MACHINES = 2
SCALARS = 6
KEYS_EACH = 1000  # a sample's key is the device's number times this, plus its local signal

SAMPLE = np.dtype([("key", "<i8"), ("time", "<i8"), ("value", "<f8")])

Samples = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """When an agent connected to a feed, and when it went; microseconds, 0 while it is there."""

    opened_us: int
    closed_us: int


def table_of(device: str) -> SignalTable:
    """The signals of ``device``: the first machine makes features, the second none."""
    machines = tuple(
        Machine(name=f"{device}-m{m}", machine_class="press", feature_set="" if m else "trend/1")
        for m in range(MACHINES)
    )
    signals = tuple(
        Signal(id=m * SCALARS + s, machine=m, name=f"s{s}", unit="1")
        for m in range(MACHINES)
        for s in range(SCALARS)
    )
    return SignalTable(machines=machines, signals=signals)


def keys_of(devices: list[str]) -> dict[tuple[str, str], int]:
    """The key of every signal, by the names of machine and signal."""
    return {
        (f"{device}-m{signal.machine}", signal.name): number * KEYS_EACH + signal.id
        for number, device in enumerate(devices)
        for signal in table_of(device).signals
    }


def produced(folder: Path, feed: str) -> Samples:
    """Every sample of ``feed``, in the order it was produced."""
    return np.fromfile(folder / f"{feed}.samples", SAMPLE)


def openings(folder: Path, feed: str) -> list[Opening]:
    """Every connection an agent had to ``feed``."""
    found: list[Opening] = []
    for line in (folder / f"{feed}.openings").read_text().splitlines():
        word, _, when = line.partition(" ")
        if word == "opened":
            found.append(Opening(opened_us=int(when), closed_us=0))
        elif found and not found[-1].closed_us:
            found[-1] = Opening(opened_us=found[-1].opened_us, closed_us=int(when))
    return found
