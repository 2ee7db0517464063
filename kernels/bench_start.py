"""How long a new process takes to its first row of features, once the machine code is there.

That is what a device waits after its agent was started anew. Beside it stands what nobody can do without:
an interpreter that imports NumPy, and ends. Times are the process's processor time: the start is one thread,
and what neighbours take of the core is not its own.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

ROUNDS = 7
BARE = "import numpy"
FIRST_ROW = """
import numpy as np
from kernels import sets
sets.warm("vibration/1")
made = sets.make("vibration/1", scalars=["speed"], waveforms=[("vibration", 12e3, 0)], units={"speed": "Hz"})
wave = np.sin(np.arange(4096, dtype=np.float32))
made.update(made.initial(), 0, [29.5], [wave])
"""

Race = Callable[..., dict[str, list[float]]]


def start(race: Race) -> Iterator[dict[str, Any]]:
    """From a process's start to its end just behind the first row. See ``firmware_configs.figures``."""
    contenders = {"first row": partial(_run, FIRST_ROW), "bare": partial(_run, BARE)}
    taken = race(contenders, rounds=ROUNDS, clock=_of_children)
    seconds = {name: median(times) for name, times in taken.items()}
    figure = "start to first row of vibration/1, warm, processor"
    yield {"figure": figure, "value": seconds["first row"], "unit": "s", "bar": "<= 2.0"}
    yield {
        "figure": f"{figure}, over bare",
        "value": seconds["first row"],
        "unit": "s",
        "reference": "interpreter and NumPy",
        "reference_value": seconds["bare"],
    }


def _of_children() -> float:
    """Seconds of processor time that all processes took which were started here, and have ended."""
    told = os.times()
    return told.children_user + told.children_system


def _run(code: str) -> None:
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
