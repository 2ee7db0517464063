"""``andon bench models``: what each use case can do, by an honest protocol, beside what else there is.

Each use case says in its own module what is measured and how. Recorded data is read
from the folder that ``ANDON_DATA`` names, else from the one beside the checkout; a use
case whose data is not there is left out by name: its row says so and judges nothing.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BESIDE = Path("..", "shared", "data")
RECORDED = {  # by module, what it reads in the folder of recordings; none: it simulates
    "cloud_hub.training.bench_turbofan": "cmapss",
    "cloud_hub.training.bench_bearing": "cwru",
    "cloud_hub.training.bench_pump": "skab",
    "cloud_hub.training.bench_motor": None,
    "cloud_hub.monitor.bench": None,
}

Race = Callable[..., dict[str, list[float]]]


def models(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """The rows of every use case; ``race`` is not needed, as nothing here is a matter of speed."""
    data = Path(os.environ.get("ANDON_DATA") or BESIDE)
    for module, folder in RECORDED.items():
        if folder is not None and not (data / folder).is_dir():
            yield _absent(module, data / folder)
            continue
        yield from importlib.import_module(module).figures(quick, data)


def _absent(module: str, folder: Path) -> dict[str, Any]:
    name = module.rpartition("bench_")[2]
    return {
        "figure": f"{name}: not measured, no recordings in {folder} (ANDON_DATA names the folder above)",
        "value": 0.0,
        "unit": "{row}",
    }
