"""The Case Western rig as rows, which say bearing, load and size of the fault; and asking what is wrong."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud_hub.training import bench_shortcuts, product
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.bench_shortcuts import HORSEPOWER_KW
from models import graphs
from models.examples import SOUND, Examples, Mask
from models.use_case import UseCase

ARCHIVE = Path("cwru") / "cwru_drive_end_loads_0_1_2.npz"
HOP = 4_096  # samples between the beginnings of two windows

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rig:
    """Windows of ``length`` samples, each with ``load`` [n] in hp and ``size`` [n] in mil, 0 if sound."""

    rows: Examples
    load: Numbers
    size: Numbers
    length: int

    @property
    def sound(self) -> Mask:
        found: Mask = self.rows.health == SOUND
        return found

    @property
    def sharing(self) -> int:
        """Windows after one that share samples with it."""
        return self.length // HOP - 1

    @property
    def faults(self) -> dict[str, str]:
        """By machine, what is wrong with it, or that it is sound."""
        classes = (bench_shortcuts.NONE, *self.rows.faults)
        return {
            name: classes[int(self.wanted[self.rows.machine == number][0])]
            for number, name in enumerate(self.rows.machines)
        }

    @property
    def wanted(self) -> Numbers:
        """[n] 0 for sound, 1 and on for the fault classes."""
        return np.where(self.sound, 0, self.rows.fault.astype(np.int64) + 1)


def read_rig(archive: Path, truth: Path, use_case: UseCase, *, length: int) -> Rig:
    """The rows of a replay of ``archive`` in windows of ``length``, and what it wrote into ``truth``."""
    own = record(["replay", "cwru", str(archive), "--length", str(length)], truth)
    rows = examples(own, label_lines(truth), use_case)
    told = [json.loads(line) for line in (truth / "faults.jsonl").read_text().splitlines()]
    sizes = {line["machine"]: line["mils"] for line in told}
    load = rows.features[:, rows.names.index("load.last")] / HORSEPOWER_KW
    return Rig(
        rows=rows,
        load=np.rint(load).astype(np.int64),
        size=np.array([sizes[name] for name in rows.machines], np.int64)[rows.machine],
        length=length,
    )


def halves(rig: Rig) -> tuple[Numbers, Numbers]:
    """The first and the last rows of the sound bearing, as many of each; no sample is in both."""
    sound = np.flatnonzero(rig.sound)
    count = (len(sound) - rig.sharing) // 2
    return sound[:count], sound[len(sound) - count :]


def by_recording(rig: Rig) -> Examples:
    """The same rows, each bearing at each load as a machine of its own."""
    rows = rig.rows
    names = np.array(
        [f"{rows.machines[m]} at {load} hp" for m, load in zip(rows.machine, rig.load, strict=True)]
    )
    machines, machine = np.unique(names, return_inverse=True)
    sites = (rows.sites[0],) * len(machines)
    return replace(rows, machines=tuple(machines.tolist()), sites=sites, machine=machine.astype(np.int32))


def ask(rows: Examples, learnt: Mask, judged: Mask, use_case: UseCase, seed: int) -> NDArray[np.float64]:
    """[m, 1 + classes] probabilities of the rows under ``judged``, that of being sound first."""
    made = product.make(rows.where(learnt), use_case, seed=seed)
    faults = len(rows.faults)
    likely = graphs.Runner(made.onnx, use_case.outputs).run(rows.features[judged])[:, :faults]
    return np.column_stack([1 - likely.sum(axis=1), likely]).astype(np.float64)
