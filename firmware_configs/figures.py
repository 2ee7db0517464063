"""Figures of benchmarks: timed side by side on this host, held against their bars, shown.

Shared machines are noisy, so nothing is compared with a time from another day: whatever
is measured takes turns with what it is held against, and medians are told.
"""

import gc
import json
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from io import StringIO
from itertools import pairwise
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 150
BARS = {"<=": operator.le, ">=": operator.ge}

Taken = dict[str, list[float]]
Benchmark = Callable[..., Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row. The bar is on ``ratio`` where there is a reference, else on ``value``.

    ``holds`` is None without a bar, and where a reduced run cannot judge it. ``value`` is None where it could
    not be run on this host; then ``bar`` says why.
    """

    figure: str
    value: float | None
    unit: str
    reference: str | None
    reference_value: float | None
    ratio: float | None
    bar: str
    holds: bool | None


def race(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = perf_counter
) -> Taken:
    """Seconds that each took in each round, in turn, another one first each time; a first round warms up.

    What runs in one thread and waits for nothing is best timed with ``clock=time.thread_time``: it does
    not count while neighbours have the core.
    """
    order = list(contenders)
    taken: Taken = {name: [] for name in order}
    for contender in contenders.values():
        contender()
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            order.append(order.pop(0))
            stamps = [clock()]
            for name in order:
                contenders[name]()
                stamps.append(clock())
            for name, (began, ended) in zip(order, pairwise(stamps), strict=True):
                taken[name].append(ended - began)
    finally:
        if was_collecting:
            gc.enable()
    return taken


def measure(name: str, benchmark: Benchmark, *, quick: bool) -> list[Figure]:
    """Run ``benchmark(race, quick=...)``; it gives a mapping a figure, see ``judge``."""
    return [judge(found, quick=quick, full=f"andon bench {name}") for found in benchmark(race, quick=quick)]


def judge(found: Mapping[str, Any], *, quick: bool, full: str) -> Figure:
    """``found``: figure, value, unit, and if they are there reference, reference_value and bar.

    ``exact`` means that the value does not depend on the scale, so that a quick run judges it too.
    ``not_run`` instead of a value says why there is none here; what it would be held against is left out.
    """
    bar = found.get("bar", "")
    if "not_run" in found:
        return _missing(found["figure"], found["unit"], f"{bar} (not run: {found['not_run']})".strip())
    value, reference_value = float(found["value"]), found.get("reference_value")
    ratio = None if reference_value is None else value / reference_value
    holds = None
    if bar and (found.get("exact") or not quick):
        sign, limit = bar.split()
        holds = bool(BARS[sign](value if ratio is None else ratio, float(limit)))
    elif bar:
        bar += f" (judged by: {full})"
    return Figure(
        figure=found["figure"],
        value=_short(value),
        unit=found["unit"],
        reference=found.get("reference"),
        reference_value=None if reference_value is None else _short(reference_value),
        ratio=None if ratio is None else _short(ratio),
        bar=bar,
        holds=holds,
    )


def hold(figures: Iterable[Figure]) -> bool:
    """Whether none fails its bar."""
    return all(figure.holds is not False for figure in figures)


def as_json(figures: Iterable[Figure]) -> str:
    return json.dumps([asdict(figure) for figure in figures], indent=2)


def as_text(figures: Iterable[Figure]) -> str:
    """A table, a row a figure."""
    table = Table(box=None, pad_edge=False, header_style="")
    for title in ("figure", "value", "against", "ratio", "bar", "holds"):
        table.add_column(title, justify="right" if title in ("value", "ratio") else "left")
    for item in figures:
        against = f"{item.reference}: {item.reference_value:g}" if item.reference else ""
        ratio = "" if item.ratio is None else f"{item.ratio:g}"
        holds = {None: "", True: "yes", False: "NO"}[item.holds]
        value = "-" if item.value is None else f"{item.value:g} {item.unit}"
        table.add_row(item.figure, value, against, ratio, item.bar, holds)
    text = StringIO()
    Console(file=text, width=WIDTH).print(table)
    return text.getvalue().rstrip()


def _missing(figure: str, unit: str, bar: str) -> Figure:
    return Figure(
        figure=figure,
        value=None,
        unit=unit,
        reference=None,
        reference_value=None,
        ratio=None,
        bar=bar,
        holds=None,
    )


def _short(value: float) -> float:
    """Four digits: no measurement here has more."""
    return float(f"{value:.4g}")
