"""Examples out of recordings: the rows of ``andon sim record`` with what a file of labels says about them.

The command runs as a process of its own, and only its stream of readings comes here:
features are made without knowing a label, as on a device. Labels come from the truth
directory's ``labels.jsonl`` alone, by the rules that the hub imports them with.
"""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from cloud_hub.dataset.judging import judge
from cloud_hub.dataset.label_lines import Refusal, parse
from cloud_hub.errors import DatasetError
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.recording import MachineRows, read_recording
from models.examples import Examples
from models.use_case import UseCase
from wire.clock import to_datetime

LABELS = "labels.jsonl"
SITE = "recorded"
AHEAD = 1 << 20  # bytes of a recording that are read at once


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
    judged = [judge(own.times, by_machine.get(own.machine, []), use_case) for own in ordered]
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
