"""What can be said about a simulated plant: by its maintenance engineer, and by who knows the future."""

from collections.abc import Iterator, Mapping
from typing import Any

from simulators.motor_pump_life import Life
from simulators.plant import PumpSource
from wire.clock import to_datetime

Line = dict[str, Any]
Sources = Mapping[str, PumpSource]  # by device


def log_book(sources: Sources, until_us: int) -> list[Line]:
    """Label lines an engineer would have written by ``until_us``, oldest first.

    A failure when the machine stopped; maintenance when it ran again, repaired or overhauled, which
    ends a life for whoever learns from it; both with the fault that the teardown showed, or null.
    Where a plan has sound machines overhauled, a verdict says that nothing was found.
    """
    lines: list[tuple[int, Line]] = []
    for _device, machine, life in _lives(sources, until_us):
        lines += [line for line in _logged(machine, life) if line[0] <= until_us]
    lines.sort(key=lambda line: (line[0], line[1]["machine"]))
    return [line for _time, line in lines]


def _logged(machine: str, life: Life) -> Iterator[tuple[int, Line]]:
    fault = None if life.damaged_us is None else str(life.mode)
    if life.failed:
        failure = _label(machine, "failure", life.end_us, str(life.mode))
        yield life.end_us, failure | {"fault": fault}
    if life.sound:
        span = {"since": _iso(life.start_us), "until": _iso(life.end_us)}
        verdict = _label(machine, "verdict", life.end_us, "overhauled by plan: nothing found")
        yield life.end_us, verdict | {"verdict": "wrong", "fault": None} | span
    note = f"repaired: {life.mode}" if life.failed else "planned overhaul"
    yield life.restart_us, _label(machine, "maintenance", life.restart_us, note) | {"fault": fault}


def truth_lines(sources: Sources, now_us: int) -> Iterator[Line]:
    """One line a life begun by ``now_us``, with the end that it will have."""
    for device, machine, life in _lives(sources, now_us):
        yield {
            "device": device,
            "machine": machine,
            "life": life.number,
            "mode": str(life.mode),
            "start": _iso(life.start_us),
            "damaged": None if life.damaged_us is None else _iso(life.damaged_us),
            "failure": _iso(life.end_us) if life.failed else None,
            "end": _iso(life.end_us),
            "restart": _iso(life.restart_us),
        }


def _lives(sources: Sources, until_us: int) -> Iterator[tuple[str, str, Life]]:
    for device, source in sources.items():
        for machine, life in source.lives_until(until_us):
            yield device, machine, life


def _label(machine: str, kind: str, time_us: int, note: str) -> Line:
    return {"machine": machine, "kind": kind, "time": _iso(time_us), "note": note}


def _iso(time_us: int) -> str:
    return to_datetime(time_us).isoformat()
