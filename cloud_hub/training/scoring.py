"""Scoring what devices predicted: their rows from the store, the truth from a file no model ever reads."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cloud_hub.errors import DatasetError, NotFoundError
from cloud_hub.registry.models import SQL, Model, Registry
from cloud_hub.registry.predictions import predictions_of
from cloud_hub.store.database import Row
from cloud_hub.training.baselines import Baselines
from cloud_hub.training.foresight import Predicted, Truth, judge, read_truths
from models.interface import MEAN
from models.use_case import find


def score(registry: Registry, named: str, truth: Path, *, held_out: bool) -> dict[str, Any]:
    """Plain values; the top level is the clip convention, ``raw`` the other.

    ``named`` is a release or a use case (then: whichever release said it). ``held_out``
    keeps to the machines that the release's run held out.
    """
    model, truths = _model(registry, named), _truths(truth)
    metrics = _metrics(registry, model)
    if held_out:
        chosen = frozenset(metrics["held_out"])
        truths = [item for item in truths if item.machine in chosen]
    use_case = find(model.use_case)
    must_beat = (*use_case.gate.must_beat, MEAN)  # ages are not always known, the mean is
    last = any(item.remaining_life is not None for item in truths)
    machines = sorted({item.machine for item in truths})
    rows = predictions_of(registry.database, named, machines, last=last)
    found = judge(truths, list(map(_predicted, rows)), Baselines(**metrics["baselines"]), use_case)
    return {
        "named": named,
        "releases": sorted({row["release"] for row in rows}),
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


def _model(registry: Registry, named: str) -> Model:
    """The release named, or the one that stands for a use case: its champion, else its newest."""
    if "/" in named:
        return registry.get(named)
    find(named)
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


def _predicted(row: Row) -> Predicted:
    life, lower, upper, _anomaly = row["values"]
    return Predicted(machine=row["machine"], time=row["time"], remaining_life=life, lower=lower, upper=upper)
