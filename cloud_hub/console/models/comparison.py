"""Which of two versions of a use case is better, in words and rows. Pure.

Which is better is told from the evidence that was kept when each was judged, on machines
that neither has learnt from, and never more surely than draws of these machines allow.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_hub.console.models.lineage import counted
from cloud_hub.console.words import MISSING, figure, unit
from cloud_hub.registry.wording import size
from cloud_hub.training.comparing import CONFIDENCE, Comparison

WORDS: Mapping[str, str] = {
    "coverage": "truths inside the interval",
    "interval_width": "width of the interval",
    "latency_ms": "one prediction takes, ms",
    "bytes": "size of the network",
    "mae": "mean absolute error",
    "missed_alarms": "faulty rows not called anomalous",
    "false_alarms": "sound rows called anomalous",
    "caught": "failures that an alarm came before",
    "failures": "failures in all",
    "late": "alarms too late to act on",
    "false_per_month": "false alarms per machine-month",
    "cost_per_month": "cost per machine-month",
    "lead": "warning before the failure",
}
ONE_MACHINE = "Only one machine was judged by both: that tells nothing of others, whatever the figures say."
SHARES = frozenset({"coverage", "missed_alarms", "false_alarms"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    left: str
    right: str
    note: str = ""

    @property
    def differs(self) -> bool:
        return self.left != self.right


def verdict(found: Comparison) -> str:
    """Which is better, and how sure that is."""
    one, other = found.releases
    machines = len(found.pairing.machines)
    if machines == 1:
        return ONE_MACHINE
    on = f"on the {machines} machines that both were judged on"
    low, high = found.pairing.ratio_band(CONFIDENCE)
    if low is None or high is None or math.isclose(found.pairing.own, found.pairing.other):
        return f"Both are equally good {on}."
    better, worse = (one, other) if found.pairing.own < found.pairing.other else (other, one)
    least, most = (low, high) if better == one else (1 / max(high, 1e-9), 1 / max(low, 1e-9))
    share = found.pairing.chance_better if better == one else 1 - found.pairing.chance_better
    wins = sum(_better(pair, better == one) for pair in found.losses.values())
    count = f"It is better on {wins} of {machines} machines."
    if most < 1:
        said = f"{better} is better than {worse} {on}: its {found.figure} is {least:.2g} to {most:.2g} times"
        return f"{said} that of {worse} on {CONFIDENCE:.0%} of draws of them. {count}"
    return (
        f"The difference is within noise: {better} has the lower {found.figure} {on}, and on {share:.0%} of "
        f"draws of them, but it may be {least:.2g} to {most:.2g} times that of {worse}. {count}"
    )


def figures(found: Comparison, hidden: Sequence[str] = ()) -> list[Line]:
    """The figure of both, by site and condition but for ``hidden`` ones, and what was measured beside."""
    own, other = found.pairing.own, found.pairing.other
    told = unit(found.unit)
    lines = [Line(name=f"{found.figure}{f', {told}' if told else ''}", left=figure(own), right=figure(other))]
    lines += [
        Line(name=name, left=figure(row[0]), right=figure(row[1]), note=f"on {counted(row[2], 'machine')}")
        for name, row in found.slices.items()
        if name not in hidden
    ]
    beside = {**found.beside, **found.alarms}
    return lines + [
        Line(name=WORDS.get(name, name), left=_told(name, pair[0]), right=_told(name, pair[1]))
        for name, pair in beside.items()
    ]


def _better(pair: tuple[float, float], is_first: bool) -> bool:
    return pair[0] < pair[1] if is_first else pair[1] < pair[0]


def _told(name: str, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, list | tuple):
        return " / ".join(figure(each) for each in value)
    if name == "bytes":
        return size(value)
    if name in SHARES:
        return f"{figure(100 * value)} %"
    return figure(float(value), 4) if isinstance(value, int | float) else str(value)
