"""Examples out of recordings: the rows of ``andon sim record`` with what a file of labels says about them.

The command runs as a process of its own, and only its stream of readings comes here:
features are made without knowing a label, as on a device. Labels come from the truth
directory's ``labels.jsonl`` alone, by the rules that the hub imports them with.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloud_hub.dataset.label_lines import Refusal, parse
from cloud_hub.dataset.lives import End, Lives, cut
from cloud_hub.errors import DatasetError
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.recording import MachineRows, read_recording
from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from models.use_case import UseCase
from wire.clock import to_datetime, to_us

LABELS = "labels.jsonl"
SITE = "recorded"
AHEAD = 1 << 20  # bytes of a recording that are read at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """What labels say of the rows of one machine."""

    lives: Lives
    health: NDArray[np.int8]
    fault: NDArray[np.int16]


def record(arguments: Sequence[str], truth: Path) -> list[MachineRows]:
    """The rows that ``andon sim record ARGUMENTS`` streams, its truth in ``truth``."""
    command = [sys.executable, "-m", "andon", "sim", "record", *arguments]
    command += ["--out", "-", "--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=AHEAD) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            return read_recording(process.stdout)
        except DatasetError as error:
            process.stdout.close()
            told = process.stderr.read().decode(errors="replace").strip()
            raise DatasetError(f"`andon sim record` failed: {told or error}") from error


def label_lines(truth: Path) -> list[NewLabel]:
    """The labels in ``truth``; DatasetError names a line that is none."""
    path = truth / LABELS
    lines = path.read_text().splitlines()
    labels = []
    for line in parse(lines, now=datetime.max.replace(tzinfo=to_datetime(0).tzinfo)):
        if isinstance(line, Refusal):
            raise DatasetError(f"{path}, line {line.line}: {line.reason}")
        labels.append(line.label)
    return labels


def examples(rows: Sequence[MachineRows], labels: Iterable[NewLabel], use_case: UseCase) -> Examples:
    """``rows`` of machines of one kind as examples of ``use_case``, judged by ``labels``.

    A failure ends a life, as does maintenance; within ``faults.window`` before a failure rows are faulty,
    by the fault that its label names. A verdict judges the rows from its ``since`` (or the start of the
    machine's rows) to its ``until`` (or its time): sound where it is wrong or its fault null, else faulty.
    DatasetError where the machines have no rows or different features.
    """
    ordered = sorted((own for own in rows if len(own.times)), key=lambda own: own.machine)
    kinds = {(own.names, own.units) for own in ordered}
    if len(kinds) != 1:
        raise DatasetError(f"expected machines with rows and the same features, got {len(kinds)} kinds")
    ((names, units),) = kinds
    classes = use_case.faults.classes if use_case.faults else ()
    by_machine: dict[str, list[NewLabel]] = {}
    for label in labels:
        by_machine.setdefault(label.machine, []).append(label)
    judged = [_judge(own.times, by_machine.get(own.machine, []), use_case) for own in ordered]
    return Examples(
        machines=tuple(own.machine for own in ordered),
        sites=(SITE,) * len(ordered),
        faults=classes,
        names=names,
        units=units,
        machine=np.repeat(np.arange(len(ordered), dtype=np.int32), [len(own.times) for own in ordered]),
        times=np.concatenate([own.times for own in ordered]),
        life=np.concatenate([own.lives.number for own in judged]),
        age=np.concatenate([own.lives.age for own in judged]),
        remaining=np.concatenate([own.lives.remaining for own in judged]),
        health=np.concatenate([own.health for own in judged]),
        fault=np.concatenate([own.fault for own in judged]),
        features=np.concatenate([own.features for own in ordered]),
    )


def _judge(times: NDArray[np.int64], labels: Sequence[NewLabel], use_case: UseCase) -> _Judged:
    """One machine's lives, and the health and fault of its rows."""
    ends = [
        End(time_us=to_us(label.time), failed=label.kind == "failure")
        for label in labels
        if label.kind in ("failure", "maintenance")
    ]
    lives = cut(times, ends, use_case.life)
    health = np.full(len(times), UNKNOWN, np.int8)
    fault = np.full(len(times), -1, np.int16)
    window = use_case.faults.window if use_case.faults else None
    for label in labels:
        if label.kind == "failure" and use_case.faults:
            own = (lives.number == _life_of(times, lives, to_us(label.time))) & ~np.isnan(lives.remaining)
            shown = own & (lives.remaining <= window) if window else own
            health[shown], fault[shown] = FAULTY, _class(label.detail.get("fault"), use_case)
    first = use_case.anomaly.healthy_rows
    health[_place(lives) < first] = SOUND
    for label in labels:
        if label.kind == "verdict":
            span = _span(times, label)
            sound = label.detail.get("verdict") == "wrong" or (
                "fault" in label.detail and label.detail["fault"] is None
            )
            health[span] = SOUND if sound else FAULTY
            fault[span] = -1 if sound else _class(label.detail.get("fault"), use_case)
    return _Judged(lives=lives, health=health, fault=fault)


def _life_of(times: NDArray[np.int64], lives: Lives, end_us: int) -> int:
    """The number of the life that ended at ``end_us``: that of the last row before."""
    place = int(np.searchsorted(times, end_us, side="right")) - 1
    return int(lives.number[place]) if place >= 0 else 0


def _place(lives: Lives) -> NDArray[np.int64]:
    """Of each row, how many came before it in its life."""
    first = np.searchsorted(lives.number, lives.number, side="left")
    return np.arange(len(lives.number)) - first


def _class(fault: Any, use_case: UseCase) -> int:
    """The number of a fault class; -1 where the label names none, or one that the use case does not."""
    classes = use_case.faults.classes if use_case.faults else ()
    return classes.index(fault) if fault in classes else -1


def _span(times: NDArray[np.int64], label: NewLabel) -> NDArray[np.bool_]:
    since, until = (label.detail.get(name) for name in ("since", "until"))
    after = to_us(datetime.fromisoformat(since)) if since else int(times[0])
    before = to_us(datetime.fromisoformat(until)) if until else to_us(label.time)
    span: NDArray[np.bool_] = (times >= after) & (times <= before)
    return span
