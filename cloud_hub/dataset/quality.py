"""The quality report of a dataset: what is missing, stuck, spiky, out of range, doubled or out of time.

Measured here, by machine and by signal; what it means is said in ``findings``. A use case
declares only what its sensors can show (``low``, ``high``) and which may stand still (``steady``).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cloud_hub.dataset import frame, gaps, series
from cloud_hub.dataset.findings import Finding, Measures, judge_measures
from cloud_hub.dataset.reading import Found
from cloud_hub.dataset.series import Counts
from kernels.sets import feature_set
from models.declared.machines import Signal
from models.remembered import remembered
from models.use_case import UseCase

STUCK_ROWS, STUCK_RATIO = 50, 20.0  # equal readings, and how many times the average run of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    findings: tuple[Finding, ...]
    machines: Measures  # by name: rows, missing share, hours missing by cause, ...
    signals: Measures  # by name: share of spikes, machines where it is stuck, ...

    @property
    def stopping(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.stops)

    def to_fields(self) -> dict[str, Any]:
        return asdict(self)


def assess(found: Found, use_case: UseCase) -> Quality:
    """Look at everything once; pure."""
    examples = found.examples
    edges = np.searchsorted(examples.machine, np.arange(len(examples.machines) + 1)).astype(np.int64)
    columns = _columns(found, use_case)
    missing = gaps.explain(
        series.holes(examples.times, edges), found.members, found.judged, found.gaps, edges
    )
    machines = _machines(found, missing, np.diff(edges), _forgotten(found, use_case))
    broken = frame.failures(examples, columns, use_case)
    signals = {
        signal.name: _signal(found, signal, columns[signal.name], edges)
        | {"beyond": _beyond(broken, examples.names[columns[signal.name]], len(examples))}
        for signal in use_case.signals
        if signal.name in columns
    }
    findings = judge_measures(found, machines, signals, broken)
    return Quality(findings=findings, machines=machines, signals=signals)


def _columns(found: Found, use_case: UseCase) -> dict[str, int]:
    """The feature that shows a signal best: as it was read (``pressure.last``), else the first of its own."""
    names = list(found.examples.names)
    owners = [name.rpartition(".")[0] for name in names]
    columns = {}
    for signal in use_case.signals:
        if signal.name in owners:
            last = f"{signal.name}.last"
            columns[signal.name] = names.index(last) if last in names else owners.index(signal.name)
    return columns


def _forgotten(found: Found, use_case: UseCase) -> Counts:
    """By machine, rows that no model can learn from: what their device remembered is not in the store."""
    examples = found.examples
    lost = np.zeros(len(examples), np.bool_)
    if feature_set(use_case.feature_set).under_conditions:
        lost = ~remembered(examples)
    return np.bincount(examples.machine[lost], minlength=len(examples.machines)).astype(np.int64)


def _machines(found: Found, missing: list[gaps.Missing], rows: Counts, forgotten: Counts) -> Measures:
    told = {}
    for place, name in enumerate(found.examples.machines):
        lacking, own = missing[place].rows + float(found.tidy.holes[place]), int(rows[place])
        told[name] = {
            "rows": own,
            "lacking": round(lacking, 1),
            "missing": round(lacking / max(lacking + own, 1.0), 4),
            "missing_hours": {cause: round(hours, 2) for cause, hours in missing[place].hours.items()},
            "unmade": int(found.tidy.holes[place]),
            "forgotten": int(forgotten[place]),
            "repeated": int(found.tidy.repeated[place]),
            "denied": int(found.tidy.denied[place]),
            "disorder": int(found.tidy.disorder[place]),
            "skew_s": round(found.members[place].skew_s, 1),
        }
    return told


def _signal(found: Found, signal: Signal, column: int, edges: Counts) -> dict[str, Any]:
    """Runs and spikes of readings, or of what stands for a waveform; not of how far a signal has moved."""
    as_read = signal.kind == "waveform" or found.examples.names[column].endswith(".last")
    examples = found.examples
    values = np.ascontiguousarray(examples.features[:, column])
    longest, usual = series.runs(values, edges)
    constant = bool((values == values[0]).all())
    moves = as_read and not signal.steady and not constant
    stuck = moves & (longest >= max(STUCK_ROWS, STUCK_RATIO * usual))
    return {
        "constant": constant and not signal.steady,
        "stuck": [examples.machines[place] for place in np.flatnonzero(stuck)],
        "stuck_share": round(float(longest[stuck].sum()) / len(values), 4),
        "spikes": round(int(series.spikes(values, edges).sum()) / len(values), 5) if as_read else 0.0,
    }


def _beyond(broken: frame.Failures, feature: str, rows: int) -> float:
    """The share of ``rows`` in which ``feature`` is not what its sensor can show."""
    beyond = (
        count for (column, check), count in broken.items() if column == feature and frame.is_range(check)
    )
    return round(sum(beyond) / rows, 5)
