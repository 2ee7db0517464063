"""Two versions of a use case beside each other, in words and rows. Pure.

Which is better is told from the evidence that was kept when each was judged, on machines
that neither has learnt from, and never more surely than draws of these machines allow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_hub.console.words import MISSING, figure, unit
from cloud_hub.registry.trace import Trace
from cloud_hub.training.comparing import CONFIDENCE, Comparison
from wire.manifest import Manifest

WORDS: Mapping[str, str] = {
    "coverage": "truths inside the interval",
    "interval_width": "width of the interval",
    "latency_ms": "one prediction takes, ms",
    "bytes": "size of the network, bytes",
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
SHARES = frozenset({"coverage", "missed_alarms", "false_alarms"})
MOST_INPUTS = 40
LONGEST = 60  # characters of a setting
TOLD_ELSEWHERE = frozenset({"rmse", "mae", "coverage", "interval_width", "champion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    left: str
    right: str
    note: str = ""

    @property
    def differs(self) -> bool:
        return self.left != self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``heading`` of a group of lines; those that are the same are counted, not shown."""

    heading: str
    lines: tuple[Line, ...]
    same: int = 0
    note: str = ""


def verdict(found: Comparison) -> str:
    """Which is better, and how sure that is."""
    one, other = found.releases
    machines = len(found.pairing.machines)
    on = (
        f"on the {machines} machines that both were judged on"
        if machines > 1
        else "on the one machine both saw"
    )
    low, high = found.pairing.ratio_band(CONFIDENCE)
    if low is None or high is None or found.pairing.own == found.pairing.other:
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
        Line(name=name, left=figure(row[0]), right=figure(row[1]), note=f"{row[2]} machines")
        for name, row in found.slices.items()
        if name not in hidden
    ]
    beside = {**found.beside, **found.alarms}
    return lines + [
        Line(name=WORDS.get(name, name), left=_told(name, pair[0]), right=_told(name, pair[1]))
        for name, pair in beside.items()
    ]


def differences(left: Trace, right: Trace, hidden: Sequence[str] = ()) -> list[Difference]:
    """What differs in how the two were made and what they take and tell; no ``hidden`` machine is named."""
    one, other = left.model.manifest, right.model.manifest
    return [
        _rows(left, right, hidden),
        _group("How they were made", _made(left), _made(right)),
        _inputs(one, other),
        _group("What comes out", _outputs(one), _outputs(other)),
        _group("When they alarm", _alarms(one), _alarms(other)),
    ]


def _better(pair: tuple[float, float], is_first: bool) -> bool:
    return pair[0] < pair[1] if is_first else pair[1] < pair[0]


def _rows(left: Trace, right: Trace, hidden: Sequence[str]) -> Difference:
    own, other = left.source.rows_by_machine, right.source.rows_by_machine
    found = _group("Datasets", _dataset(left), _dataset(right))
    notes = []
    for only, which in ((own.keys() - other.keys(), left), (other.keys() - own.keys(), right)):
        if only:
            seen = sorted(only - set(hidden))
            more = f" and {len(only) - 8} more" if len(only) > 8 else ""
            named = f": {', '.join(seen[:8])}{more}" if seen else ""
            notes.append(f"Only {which.model.release} knows {len(only)} machines{named}.")
    if left.source.dataset == right.source.dataset:
        notes.append("Both learnt from the same dataset.")
    return Difference(heading=found.heading, lines=found.lines, same=found.same, note=" ".join(notes))


def _dataset(trace: Trace) -> dict[str, str]:
    source = trace.source
    return {
        "dataset": source.dataset or "made elsewhere",
        "rows": figure(source.rows, 9),
        "machines": figure(source.machines, 9),
        "failures": figure(source.failures, 9),
        "from": str(source.span[0])[:16].replace("T", " ") if source.span else MISSING,
        "to": str(source.span[1])[:16].replace("T", " ") if len(source.span) > 1 else MISSING,
        "feature set": source.feature_set,
        "features of version": source.feature_set_version[:12] or MISSING,
    }


def _made(trace: Trace) -> dict[str, str]:
    """Settings and plain figures of the run."""
    source = trace.source
    plain = {
        name.replace("_", " "): _short(value)
        for name, value in source.metrics.items()
        if isinstance(value, str | int | float | bool) and name not in TOLD_ELSEWHERE
    }
    return {"asked for because": source.why or MISSING, "code": source.code or MISSING} | plain


def _inputs(one: Manifest, other: Manifest) -> Difference:
    """Features by name, with whether each is taken, or in which unit where only that differs."""
    own, others = ({each.name: each.unit for each in manifest.inputs} for manifest in (one, other))
    differing = [name for name in sorted(own.keys() | others.keys()) if own.get(name) != others.get(name)]
    lines = tuple(
        Line(name=name, left=_taken(own, others, name), right=_taken(others, own, name))
        for name in differing[:MOST_INPUTS]
    )
    more = len(differing) - len(lines)
    return Difference(
        heading="What goes in",
        lines=lines,
        same=len(own.keys() | others.keys()) - len(differing),
        note=f"And {more} more." if more else "",
    )


def _taken(units: Mapping[str, str], others: Mapping[str, str], name: str) -> str:
    if name not in units:
        return MISSING
    return f"in {unit(units[name]) or '1'}" if name in others else "taken"


def _outputs(manifest: Manifest) -> dict[str, str]:
    found = {
        out.name: f"{figure(out.low)} to {figure(out.high)} {unit(out.unit)}".strip()
        for out in manifest.outputs
    }
    if manifest.interval is not None:
        found["interval"] = f"{manifest.interval.coverage:.0%} coverage"
    found["operating conditions"] = str(len(manifest.conditions.centres)) if manifest.conditions else "none"
    return found


def _alarms(manifest: Manifest) -> dict[str, str]:
    return {
        f"{rule.output.replace('_', ' ')} {rule.direction}": (
            f"{figure(rule.threshold)}, {rule.persistence} in a row; ends past {figure(rule.clear)}"
        )
        for rule in manifest.alarms
    }


def _group(heading: str, left: Mapping[str, str], right: Mapping[str, str]) -> Difference:
    lines = [
        Line(name=name, left=left.get(name, MISSING), right=right.get(name, MISSING))
        for name in dict.fromkeys((*left, *right))
    ]
    differing = tuple(line for line in lines if line.differs)
    return Difference(heading=heading, lines=differing, same=len(lines) - len(differing))


def _told(name: str, value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, list | tuple):
        return " / ".join(figure(each) for each in value)
    if name in SHARES:
        return f"{figure(100 * value)} %"
    return figure(float(value), 4) if isinstance(value, int | float) else str(value)


def _short(value: Any) -> str:
    text = figure(value, 6) if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
