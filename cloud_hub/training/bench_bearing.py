"""How well bearing-fault tells what is wrong with a bearing, on the Case Western recordings (measured).

Protocol. Nine damaged bearings and one sound one, each at up to three loads; windows
begin 4,096 samples apart. Feature set, network and budget are those of the use case:
one choice for all, made on load 0 against load 1 and on all pairs of fault sizes,
learning on one and judging on the other, so that pairs with the size that is held out
here had a say in them. Seeds 1 to 3, fixed beforehand, each learn one product as
``andon model train`` would.

*Loads 0 and 1 against 2*: the same bearings at a load that was not learnt, so every
recording is a group of its own. Four classes; windows of 16,384 samples, as the pairs
of all sizes had it. The sound bearing was recorded at one load only: its
first half is learnt from, its last is judged, and windows between that share samples
with both are in neither; a right answer there proves less.

*Across bearings*: all bearings of one fault size are held out, so every bearing is a
group of its own. How long windows are is chosen anew for each size, by a rule and on
trials that the held-out bearings have no part in (:mod:`bench_bearing_windows`; a quick
run takes what that came to). Which of three classes is the likeliest, the sound one
aside; the share of damaged windows that would have been called sound stands beside it.
Each class is one bearing then: some 234 windows, but three bearings.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cloud_hub.training import bench_shortcuts
from cloud_hub.training.bench_bearing_rig import ARCHIVE, Rig, ask, by_recording, halves, read_rig
from cloud_hub.training.bench_bearing_windows import choose, trials
from cloud_hub.training.bench_shortcuts import JUDGED_LOAD
from models.examples import Mask
from models.use_case import UseCase, find

USE_CASE = "bearing-fault"
SEEDS = (1, 2, 3)
RATE_HZ = 12_000
COMMON = 16_384  # samples of a window
CHOSEN = {7: 16_384, 14: 16_384, 21: 8_192}  # what the rule came to, by the size that is held out
LENGTHS = (8_192, 16_384)  # to choose from
SIZES: dict[int, str] = {7: "", 14: ">= 0.34", 21: ">= 0.37"}  # mil, and what accuracy has to be
PUBLISHED = {7: 0.99, 14: 0.33, 21: 0.36}  # accuracy of spectral and envelope features that keep the level
SHAPE = ("*.log_centroid", "*.log_spread", "*.entropy")
SECONDS = 120  # of one processor, for all seeds of a row

Row = dict[str, Any]


def figures(quick: bool, data: Path) -> Iterator[Row]:
    """For the recordings in ``data``/cwru; quick: one seed, windows as they were chosen before."""
    use_case, seeds = find(USE_CASE), SEEDS[:1] if quick else SEEDS
    with TemporaryDirectory() as folder:
        rigs = {
            length: read_rig(data / ARCHIVE, Path(folder) / f"truth-{length}", use_case, length=length)
            for length in LENGTHS
        }
        faults = rigs[COMMON].faults
        yield from bench_shortcuts.figures(data / ARCHIVE, Path(folder), faults, seeds=seeds)
    yield from loads(rigs[COMMON], use_case, seeds)
    for size, bar in SIZES.items():
        length = CHOSEN[size]
        if not quick:
            scores = windows(rigs, use_case, size=size)
            length = choose(scores)
            yield from _windows(scores, length, size)
        yield from across(rigs[length], use_case, seeds, size=size, bar=bar)


def windows(rigs: Mapping[int, Rig], use_case: UseCase, *, size: int) -> dict[int, float]:
    """By length of windows, the mean accuracy of the trials without the bearings of ``size``."""
    return {length: fmean(trials(rig, use_case, held_out=size)) for length, rig in rigs.items()}


def _windows(scores: Mapping[int, float], length: int, size: int) -> Iterator[Row]:
    label = f"{USE_CASE}, across bearings, {size} mil held out, 3 classes"
    for each, value in scores.items():
        yield _share(f"{label}: accuracy of the trials without it, windows of {each} samples", [value])
    yield {
        "figure": f"{label}: length of windows, chosen by them",
        "value": length / RATE_HZ,
        "unit": "s",
        "reference": "that of a quick run",
        "reference_value": CHOSEN[size] / RATE_HZ,
    }


def sides(rig: Rig) -> tuple[Mask, Mask]:
    """[n] rows to learn from and rows to judge on, of loads 0-1 against 2: no sample is in both."""
    first, last = halves(rig)
    learnt = ~rig.sound & (rig.load != JUDGED_LOAD)
    judged = ~rig.sound & (rig.load == JUDGED_LOAD)
    learnt[first] = judged[last] = True
    return learnt, judged


def loads(rig: Rig, use_case: UseCase, seeds: Sequence[int]) -> Iterator[Row]:
    """Learnt at loads 0 and 1, judged at load 2."""
    learnt, judged = sides(rig)
    began = time.process_time()
    answers = [ask(by_recording(rig), learnt, judged, use_case, seed) for seed in seeds]
    seconds = time.process_time() - began
    right = np.array([own.argmax(axis=1) == rig.wanted[judged] for own in answers])
    label = f"{USE_CASE}, loads 0-1 -> 2, 4 classes"
    count = int(judged.sum())
    yield _share(f"{label}: right of {count} windows, mean of {len(seeds)}", right.mean(axis=1)) | {
        "bar": ">= 0.98"
    }
    if len(seeds) > 1:
        yield _share(f"{label}: deviation over seeds", [stdev(right.mean(axis=1).tolist())])
    apart = _apart(rig, judged)
    yield _share(
        f"{label}: right of the {int(apart.sum())} that share no sample", right[:, apart].mean(axis=1)
    )
    yield _share(
        f"{label}: right of {int(rig.sound[judged].sum())} sound windows",
        right[:, rig.sound[judged]].mean(axis=1),
    )
    yield _seconds(label, seconds)


def across(rig: Rig, use_case: UseCase, seeds: Sequence[int], *, size: int, bar: str) -> Iterator[Row]:
    """The bearings whose fault is of ``size`` held out; ``bar`` is on the accuracy."""
    judged, wanted = rig.size == size, rig.wanted[rig.size == size]
    label = f"{USE_CASE}, across bearings, {size} mil held out, 3 classes"
    began = time.process_time()
    answers = [ask(rig.rows, ~judged, judged, use_case, seed) for seed in seeds]
    seconds = time.process_time() - began
    right = [float((own[:, 1:].argmax(axis=1) + 1 == wanted).mean()) for own in answers]
    among = [own[:, 1:] / own[:, 1:].sum(axis=1, keepdims=True) for own in answers]
    told = f"of {len(wanted)} windows, mean of {len(seeds)}"
    yield _share(f"{label}: accuracy {told}", right) | ({"bar": bar} if bar else {})
    for name, value in (("chance", 1 / 3), ("levels and lines, untuned", PUBLISHED[size])):
        yield _share(f"{label}: accuracy beside {name}", right) | {
            "reference": name,
            "reference_value": value,
        }
    auroc = [float(roc_auc_score(wanted, own, multi_class="ovr", average="macro")) for own in among]
    yield _share(f"{label}: macro AUROC, mean of {len(seeds)}", auroc)
    if len(seeds) > 1:
        yield _share(f"{label}: accuracy, deviation over seeds", [stdev(right)])
        yield _share(f"{label}: macro AUROC, deviation over seeds", [stdev(auroc)])
    for number, name in enumerate(rig.rows.faults, start=1):
        own = wanted == number
        parts = [float((answer[own, 1:].argmax(axis=1) + 1 == number).mean()) for answer in answers]
        yield _share(f"{label}: right where it is the {name}", parts)
    yield _share(f"{label}: called sound", [float((own.argmax(axis=1) == 0).mean()) for own in answers])
    shape = _only(use_case, SHAPE)
    plain = [ask(rig.rows, ~judged, judged, shape, seed)[:, 1:].argmax(axis=1) + 1 for seed in seeds[:1]]
    yield _share(f"{label}: accuracy by the spectrum's shape alone", [float((plain[0] == wanted).mean())])
    yield _seconds(label, seconds)


def _apart(rig: Rig, judged: Mask) -> Mask:
    """[m] of the rows under ``judged``: from the first of each recording on, those that share no sample."""
    machine = rig.rows.machine[judged]
    place = np.arange(len(machine)) - np.searchsorted(machine, machine)
    found: Mask = place % (rig.sharing + 1) == 0
    return found


def _only(use_case: UseCase, patterns: tuple[str, ...]) -> UseCase:
    return use_case.model_copy(update={"network": use_case.network.model_copy(update={"include": patterns})})


def _share(figure: str, values: Sequence[float] | NDArray[np.float64]) -> Row:
    return {"figure": figure, "value": float(np.mean(values)), "unit": "1"}


def _seconds(label: str, seconds: float) -> Row:
    return {"figure": f"{label}: training", "value": seconds, "unit": "s", "bar": f"<= {SECONDS}"}
