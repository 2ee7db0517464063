"""Scoring what devices predicted: their rows from the store, the truth from a file no model ever reads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cloud_hub.errors import DatasetError, NotFoundError
from cloud_hub.registry.models import SQL, Model, Registry
from cloud_hub.registry.predictions import predictions_of
from cloud_hub.store.database import Row
from cloud_hub.training.baselines import Baselines
from cloud_hub.training.foresight import Predicted, Truth, judge, read_truths
from models.interface import MEAN, REMAINING_LIFE
from models.use_case import find
from wire.manifest import BOUNDS, row_names


def score(
    registry: Registry, named: str, truth: Path, *, held_out: bool, own: Path | None = None
) -> dict[str, Any]:
    """Plain values; the top level is the clip convention, ``raw`` the other.

    ``named`` is a release or a use case (then: whichever release said it). ``held_out``
    keeps to the machines that the release's run held out. ``own`` is the folder of this hub's own
    use cases. Predictions by releases that the registry does not know are left out by name.
    """
    model, truths = _model(registry, named, own), _truths(truth)
    metrics = _metrics(registry, model)
    if held_out:
        chosen = frozenset(metrics["held_out"])
        truths = [item for item in truths if item.machine in chosen]
    use_case = find(model.use_case, own)
    if use_case.task != "remaining-life":
        raise DatasetError(
            f"{use_case.name} foretells no remaining life that a truth could be held against: "
            "its labels judge it when it is trained, `andon model show` tells how"
        )
    must_beat = (*use_case.gate.must_beat, MEAN)  # ages are not always known, the mean is
    last = any(item.remaining_life is not None for item in truths)
    machines = sorted({item.machine for item in truths})
    rows = predictions_of(registry.database, named, machines, last=last)
    places = _places(registry, {row["release"] for row in rows})
    said = [_predicted(row, places[row["release"]]) for row in rows if row["release"] in places]
    found = judge(truths, said, Baselines(**metrics["baselines"]), use_case)
    return {
        "named": named,
        "releases": sorted(places),
        "unknown_releases": sorted({row["release"] for row in rows} - places.keys()),
        "unit": use_case.life.unit,
        "cap": use_case.life.cap,
        "predictions": found.predictions,
        "machines": found.machines,
        "unforeseen": list(found.unforeseen),
        **asdict(found.clip),
        "raw": asdict(found.raw),
        "coverage": found.coverage,
        "baselines": dict(found.baselines),
        "baseline_rmse": min(rmse for name, rmse in found.baselines.items() if name in must_beat),
    }


def _model(registry: Registry, named: str, own: Path | None) -> Model:
    """The release named, or the one that stands for a use case: its champion, else its newest."""
    if "/" in named:
        return registry.get(named)
    find(named, own)
    rows = registry.database.rows(SQL["newest_first"], {"use_case": named})
    if not rows:
        raise NotFoundError("release of use case", named)
    return registry.aliased(named, "champion") or registry.get(rows[0]["release"])


def _metrics(registry: Registry, model: Model) -> dict[str, Any]:
    run = registry.database.row(SQL["run"], {"run": model.run})
    metrics: dict[str, Any] = run["metrics"] if run else {}
    if "baselines" not in metrics:
        raise DatasetError(f"{model.release}: its run {model.run} has no baselines to compare with")
    return metrics


def _truths(file: Path) -> Sequence[Truth]:
    try:
        truths = read_truths(json.loads(line) for line in file.read_text().splitlines() if line.strip())
    except ValueError as error:  # not JSON, or not text
        raise DatasetError(f"{file} is not one JSON object a line: {error}") from error
    if not truths:
        raise DatasetError(f"{file} holds no truth: expected lines with remaining_life, or with a failure")
    return truths


def _places(registry: Registry, releases: Iterable[str]) -> dict[str, dict[str, int]]:
    """By release that is known, where in its rows each number stands."""
    found = {}
    for release in releases:
        with suppress(NotFoundError):
            names = row_names(registry.get(release).manifest)
            found[release] = {name: place for place, name in enumerate(names)}
    return found


def _predicted(row: Row, places: Mapping[str, int]) -> Predicted:
    """A release without an interval claims no more than its one value."""
    life = row["values"][places[REMAINING_LIFE]]
    lower, upper = (row["values"][places[name]] if name in places else life for name in BOUNDS)
    return Predicted(machine=row["machine"], time=row["time"], remaining_life=life, lower=lower, upper=upper)
