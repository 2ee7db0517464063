"""What was read of some machines, made up: as ``reading.read`` would have told it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cloud_hub.dataset.copied import Rows
from cloud_hub.dataset.judging import judge
from cloud_hub.dataset.membership import Member
from cloud_hub.dataset.reading import Found
from cloud_hub.dataset.tidying import tidy
from cloud_hub.store.labels import NewLabel
from models.examples import Examples
from models.use_case import UseCase, find
from wire.clock import to_datetime

HOUR_US = 3_600_000_000
SIGNALS = (("flow", "L/min"), ("pressure", "bar"))


def pumps(**changes: Any) -> UseCase:
    """Remaining life in hours from two signals, with the faults "ball" and "cage"."""
    fields = {
        "name": "pumps",
        "title": "Pumps",
        "machine_class": "pump",
        "feature_set": "trend/1",
        "task": "remaining-life",
        "signals": [{"name": name, "unit": unit} for name, unit in SIGNALS],
        "life": {"measured_in": "time", "unit": "h", "cap": 100.0, "least_failures": 2},
        "faults": {"classes": ("ball", "cage"), "window": 5.0},
        "costs": find("turbofan-rul").costs.model_dump(),
    }
    return UseCase.model_validate(fields | changes)


def rows(hours: Sequence[Sequence[float]], readings: Sequence[np.ndarray], *, ids: Sequence[int]) -> Rows:
    """One machine after the other; each reading's time is also its sequence."""
    times = np.concatenate([np.round(np.asarray(own) * HOUR_US).astype(np.int64) for own in hours])
    count = len(times)
    return Rows(
        machine=np.repeat(np.array(ids, np.int32), [len(own) for own in hours]),
        times=times,
        device=np.ones(count, np.int32),
        epoch=np.ones(count, np.int64),
        sequence=times.copy(),
        features=np.concatenate(readings).astype(np.float32).reshape(count, -1),
    )


def failure(place: int, hour: float, **detail: Any) -> tuple[int, NewLabel]:
    return place, label(place, hour, "failure", **detail)


def label(place: int, hour: float, kind: str, **detail: Any) -> NewLabel:
    time = to_datetime(round(hour * HOUR_US))
    return NewLabel(machine=f"pump-{place}", kind=kind, time=time, detail=detail)


def found(
    hours: Sequence[Sequence[float]],
    readings: Sequence[np.ndarray],
    *,
    use_case: UseCase | None = None,
    labels: Sequence[tuple[int, NewLabel]] = (),
    gaps: Sequence[dict[str, Any]] = (),
    left_out: dict[str, str] | None = None,
    skew_s: float = 0.0,
    stored: Rows | None = None,
) -> Found:
    use_case = use_case or pumps()
    count = len(hours)
    members = tuple(
        Member(id=10 + place, name=f"pump-{place}", site="lyon", device=1, skew_s=skew_s)
        for place in range(count)
    )
    ids = [member.id for member in members]
    ordered = tidy(rows(hours, readings, ids=ids) if stored is None else stored, ids)
    judged = tuple(
        judge(
            ordered.times[ordered.machine == place], [told for own, told in labels if own == place], use_case
        )
        for place in range(count)
    )
    examples = Examples(
        machines=tuple(member.name for member in members),
        sites=("lyon",) * count,
        faults=use_case.faults.classes if use_case.faults else (),
        names=tuple(f"{name}.last" for name, _ in SIGNALS),
        units=tuple(unit for _, unit in SIGNALS),
        machine=ordered.machine,
        times=ordered.times,
        life=np.concatenate([own.lives.number for own in judged]),
        age=np.concatenate([own.lives.age for own in judged]),
        remaining=np.concatenate([own.lives.remaining for own in judged]),
        health=np.concatenate([own.health for own in judged]),
        fault=np.concatenate([own.fault for own in judged]),
        features=ordered.features,
    )
    return Found(
        examples=examples,
        members=members,
        left_out=left_out or {},
        tidy=ordered,
        judged=judged,
        gaps=list(gaps),
        labels=len(labels),
        received_late=0,
    )
