"""What the held-out machines say of a network, as the drawings and tables of its card. Pure.

Made anew from the dataset and the network themselves, never from what a run noted,
so a card cannot tell anything else than the bundle it lies in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from cloud_hub.compiler.plots import Axis, Mark, curve, ranges
from kernels import interval as intervals
from models.examples import FAULTY, SOUND, Examples
from models.interface import ANOMALY, FAULT, REMAINING_LIFE, fault_output
from wire.manifest import Manifest

BINS = 8
LEAST = 5  # rows in a bin, before it is drawn
Z = 1.96  # of a 95 % interval

Floats = NDArray[np.float64]
Answers = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    heading: str
    html: str
    words: str  # what the drawing shows, in a sentence


def findings(examples: Examples, answers: Answers, manifest: Manifest) -> list[Finding]:
    """``answers``: by output [n], to the ``examples`` of machines that the network has not learnt from."""
    found = []
    known = examples.failed
    if REMAINING_LIFE in answers and known.any():
        cap = next(out.high for out in manifest.outputs if out.name == REMAINING_LIFE)
        truth = np.minimum(examples.remaining[known].astype(np.float64), cap)
        told = np.asarray(answers[REMAINING_LIFE], np.float64)[known]
        unit = next(out.unit for out in manifest.outputs if out.name == REMAINING_LIFE)
        found.append(_error_by_life(truth, told, cap, unit))
        if manifest.interval is not None:
            found.append(_coverage_by_life(truth, told, manifest, unit, examples.machine[known]))
    if any(name.startswith(FAULT) for name in answers) and (examples.health >= SOUND).any():
        found.append(_confusion(examples, answers))
    if ANOMALY in answers and (examples.health == SOUND).any() and (examples.health == FAULTY).any():
        found.append(_anomaly(examples, np.asarray(answers[ANOMALY], np.float64)))
    return found


def _error_by_life(truth: Floats, told: Floats, cap: float, unit: str) -> Finding:
    marks = []
    for low, high, rows in _bins(truth, cap):
        error = told[rows] - truth[rows]
        least, most = np.quantile(error, [0.1, 0.9])
        said = f"{low:.3g} to {high:.3g} {unit} left: {error.mean():+.3g} on average, {len(error)} rows"
        marks.append(
            Mark(x=(low + high) / 2, at=float(error.mean()), low=float(least), high=float(most), told=said)
        )
    reach = max([abs(edge) for mark in marks for edge in (mark.low, mark.high)], default=1.0) or 1.0
    drawing = ranges(
        "Error by remaining life",
        Axis(label=f"true remaining life, {unit}", low=0.0, high=cap),
        Axis(label=f"predicted - true, {unit}", low=-reach, high=reach),
        marks,
        level=0.0,
    )
    words = "Mean error, and the range of the middle 80 % of rows; below the line it warns too early."
    return Finding(heading="Error by life", html=drawing, words=words)


def _coverage_by_life(
    truth: Floats, told: Floats, manifest: Manifest, unit: str, machine: NDArray[np.int32]
) -> Finding:
    table = manifest.interval
    assert table is not None, "asked of a manifest with an interval"
    low, high = intervals.apply(table, told)
    inside = (low <= truth) & (truth <= high)
    index, edges = intervals.bins(table.edges, told), (*table.edges, max(table.edges[-1], float(told.max())))
    marks = []
    for number in range(len(table.edges)):
        rows = index == number
        if rows.sum() >= LEAST:
            share, count = float(inside[rows].mean()), len(np.unique(machine[rows]))
            least, most = _wilson(share, count)
            place = (edges[number] + edges[number + 1]) / 2
            said = f"from {edges[number]:.3g} {unit}: {share:.0%} of {rows.sum()} rows of {count} machines"
            marks.append(Mark(x=place, at=share, low=least, high=most, told=said))
    drawing = ranges(
        "Coverage by predicted life",
        Axis(label=f"predicted remaining life, {unit}", low=0.0, high=float(edges[-1]) or 1.0),
        Axis(label="truths inside", low=0.0, high=1.0),
        marks,
        level=table.coverage,
    )
    words = (
        f"Share of truths inside the {table.coverage:.0%} interval, with what so few machines leave open; "
        "the line is what it promises."
    )
    return Finding(heading="Calibration of the interval", html=drawing, words=words)


def _confusion(examples: Examples, answers: Answers) -> Finding:
    """Rows as labelled against the likeliest class; what the faults leave of 1 is sound."""
    chances = np.stack(
        [np.asarray(answers[fault_output(name)], np.float64) for name in examples.faults], axis=1
    )
    chances = np.concatenate([1 - chances.sum(axis=1, keepdims=True), chances], axis=1)
    names = ("sound", *examples.faults)
    truth = np.where(examples.health == SOUND, 0, np.where(examples.fault >= 0, examples.fault + 1, -1))
    rows = truth >= 0
    told = chances.argmax(axis=1)
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (truth[rows], told[rows]), 1)
    right = float(np.trace(counts) / max(counts.sum(), 1))
    words = f"{right:.1%} of {counts.sum()} labelled rows are told right; a line is what labels say."
    return Finding(heading="Which fault", html=_table(names, counts), words=words)


def _anomaly(examples: Examples, score: Floats) -> Finding:
    sound, faulty = score[examples.health == SOUND], score[examples.health == FAULTY]
    limits = np.quantile(np.concatenate([sound, faulty]), np.linspace(1, 0, 41))
    points = [(float((sound >= limit).mean()), float((faulty >= limit).mean())) for limit in limits]
    axes = (
        Axis(label="sound rows called anomalous", low=0, high=1),
        Axis(label="faulty rows found", low=0, high=1),
    )
    drawing = curve("Faulty rows found against false ones", *axes, points, ideal=True)
    words = (
        f"At 1, the edge of healthy, {(sound >= 1).mean():.1%} of sound rows and "
        f"{(faulty >= 1).mean():.1%} of faulty ones are called anomalous."
    )
    return Finding(heading="Anomalies", html=drawing, words=words)


def _bins(values: Floats, high: float) -> list[tuple[float, float, NDArray[np.intp]]]:
    edges = np.linspace(0.0, high, BINS + 1)
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    found = [(float(edges[n]), float(edges[n + 1]), np.flatnonzero(index == n)) for n in range(BINS)]
    return [each for each in found if len(each[2]) >= LEAST]


def _wilson(share: float, count: int) -> tuple[float, float]:
    """What ``count`` independent draws leave open about a share (Wilson, JASA 22, 1927)."""
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    reach = Z / (1 + Z**2 / count) * float(np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)))
    return middle - reach, middle + reach


def _table(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{count}</td>' for count in line)}</tr>"
        for name, line in zip(names, counts.tolist(), strict=True)
    )
    return f"<table><tr><th>labelled, told</th>{heads}</tr>{lines}</table>"
