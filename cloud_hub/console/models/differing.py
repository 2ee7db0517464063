"""What differs in how two versions of a use case were made, and in what they take and tell. Pure.

From manifests and runs alone: the rows of two datasets are compared by `andon data diff`, which reads them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_hub.console.models.comparison import Line
from cloud_hub.console.models.lineage import counted
from cloud_hub.console.words import MISSING, figure, unit
from cloud_hub.registry.trace import Trace
from wire.manifest import Manifest

MOST_INPUTS = 40
MOST_NAMED = 8  # machines
LONGEST = 60  # characters of a setting
TOLD_ELSEWHERE = frozenset({"rmse", "mae", "coverage", "interval_width", "champion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``heading`` of a group of lines; those that are the same are counted, not shown."""

    heading: str
    lines: tuple[Line, ...]
    same: int = 0
    note: str = ""


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


def _rows(left: Trace, right: Trace, hidden: Sequence[str]) -> Difference:
    own, other = left.source.rows_by_machine, right.source.rows_by_machine
    found = _group("Datasets", _dataset(left), _dataset(right))
    notes = []
    for only, which in ((own.keys() - other.keys(), left), (other.keys() - own.keys(), right)):
        if only:
            seen = sorted(only - set(hidden))
            more = f" and {len(only) - MOST_NAMED} more" if len(only) > MOST_NAMED else ""
            named = f": {', '.join(seen[:MOST_NAMED])}{more}" if seen else ""
            notes.append(f"Only {which.model.release} knows {counted(len(only), 'machine')}{named}.")
    if left.source.dataset == right.source.dataset:
        notes.append("Both learnt from the same dataset.")
    return Difference(heading=found.heading, lines=found.lines, same=found.same, note=" ".join(notes))


def _dataset(trace: Trace) -> dict[str, str]:
    source = trace.source
    return {
        "dataset": source.dataset or "made elsewhere",
        "rows": figure(source.rows),
        "machines": figure(source.machines),
        "failures": figure(source.failures),
        "from": _moment(source.span[:1]),
        "to": _moment(source.span[1:]),
        "feature set": source.feature_set,
        "features of version": source.feature_set_version[:12] or MISSING,
    }


def _moment(edge: Sequence[str]) -> str:
    return edge[0][:16].replace("T", " ") if edge and edge[0] else MISSING


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


def _short(value: Any) -> str:
    text = figure(value, 6) if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
