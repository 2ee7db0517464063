"""``make gpu-check``: everything that needs a GPU, on this host's own: each test, each figure, one table.

What it prints says on which hardware, with which driver and libraries, from which commit and when; that is
what docs/gpu.md keeps. The exit status is 1 where a test failed, a figure misses its bar, or there is a GPU and
not one test passed on it; and 0 otherwise: also without a GPU, and then the table says
that nothing was run, and what is missing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO

import gpu_tests
from gpu_machine import REPOSITORY, Machine, look
from gpu_tests import Became, Outcome
from rich.console import Console
from rich.table import Table

from firmware_configs import figures
from firmware_configs.figures import Figure

WIDTH = 160
PATIENCE_S = 3600.0
BENCHMARKS = ("kernels.cuda_bench:gpu_kernels", "edge_agent.bench_gpu:gpu")
MEASURE = (
    "import importlib, sys; from firmware_configs import figures;"
    "module, _, name = sys.argv[1].partition(':');"
    "found = figures.measure('gpu', getattr(importlib.import_module(module), name), quick=sys.argv[2] == 'quick');"
    "print(figures.as_json(found))"
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="a smaller scale; some bars are not judged")
    options = parser.parse_args(arguments)
    machine = look()
    if machine.no_device:
        outcomes, found = [], []
    else:
        outcomes = gpu_tests.run()
        found = [row for benchmark in BENCHMARKS for row in measure(benchmark, quick=options.quick)]
    print((as_json if options.json else as_text)(machine, outcomes, found))
    return status(outcomes, found, device=not machine.no_device)


def measure(benchmark: str, *, quick: bool) -> list[Figure | Outcome]:
    """In a process of its own: a kernel that breaks the GPU's context costs one benchmark, not the others."""
    command = [sys.executable, "-c", MEASURE, benchmark, "quick" if quick else "full"]
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return [_broken(benchmark, f"no end within {PATIENCE_S:.0f} s")]
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        return [_broken(benchmark, said[-1] if said else f"exit status {done.returncode}")]
    return [Figure(**row) for row in json.loads(done.stdout)]


def status(outcomes: Sequence[Outcome], found: Sequence[Figure | Outcome], *, device: bool) -> int:
    failed = any(row.became is Became.FAILED for row in (*outcomes, *found) if isinstance(row, Outcome))
    proved = any(row.became is Became.PASSED for row in outcomes) or not device
    holds = figures.hold(row for row in found if isinstance(row, Figure))
    return 0 if proved and holds and not failed else 1


def as_json(machine: Machine, outcomes: Sequence[Outcome], found: Sequence[Figure | Outcome]) -> str:
    return json.dumps(
        {
            "machine": machine.facts,
            "missing": machine.missing,
            "not_run": f"no CUDA device: {machine.no_device}" if machine.no_device else "",
            "tests": [asdict(row) for row in (*outcomes, *found) if isinstance(row, Outcome)],
            "figures": [asdict(row) for row in found if isinstance(row, Figure)],
        },
        indent=2,
    )


def as_text(machine: Machine, outcomes: Sequence[Outcome], found: Sequence[Figure | Outcome]) -> str:
    """Three tables: the host, the tests, the figures."""
    parts = [_table(("host", ""), machine.facts.items())]
    if machine.missing:
        parts.append(_table(("missing", ""), machine.missing.items()))
    if machine.no_device:
        return "\n\n".join([*parts, f"not run: no CUDA device: {machine.no_device}"])
    rows = [row for row in (*outcomes, *found) if isinstance(row, Outcome)]
    told = [(row.test, row.became, f"{row.seconds:.1f} s", row.told) for row in rows]
    parts.append(_table(("test", "", "", ""), told) if rows else "not run: there is no test marked gpu")
    parts.append(figures.as_text(row for row in found if isinstance(row, Figure)))
    counts = ", ".join(f"{sum(row.became is kind for row in rows)} {kind}" for kind in Became)
    return "\n\n".join([*parts, f"tests: {counts}"])


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = Table(box=None, pad_edge=False, header_style="")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=WIDTH, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())


def _broken(benchmark: str, told: str) -> Outcome:
    return Outcome(test=benchmark, became=Became.FAILED, seconds=0.0, told=told)


if __name__ == "__main__":
    sys.exit(main())
