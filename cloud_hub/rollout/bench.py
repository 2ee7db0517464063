"""A release to ten thousand devices in four waves, and a bad one that stops itself: how long, what it takes.

A real hub (PostgreSQL, mosquitto with TLS and access rules, ingest, work, web) and a fleet
of light devices, each with its own key, certificate and connection, share this machine. A
hundredth of the fleet fails its probation, drawn by device; the time runs from the moment
when all are connected.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cloud_hub.parts.errors import PartError
from cloud_hub.rollout import bench_release
from cloud_hub.rollout.bench_factory import Factory
from cloud_hub.rollout.bench_meter import QUERIES, Used

WAVES = ("1%", "10%", "50%", "100%")
FAIL, TOLERATED = "1%", "20%"  # the first waves of a small fleet are a few devices: one of them may fail
TIMEOUT_S = 900.0
LOOK_S = 0.2
FINAL = frozenset({"done", "halted", "aborted", "undone"})

Race = Callable[..., dict[str, list[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Two fleets, how long a wave soaks, and how long a device takes for a state and for its probation."""

    small: int
    large: int
    soak_s: float
    state_s: float
    probation_s: float


FULL = Scale(small=1000, large=10_000, soak_s=10.0, state_s=1.0, probation_s=5.0)
QUICK = Scale(small=100, large=500, soak_s=1.0, state_s=0.3, probation_s=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One fleet; seconds where nothing else is said."""

    devices: int
    add_s: float
    enrol_s: float
    connect_s: float
    rollout_s: float
    right: int  # devices that ended as they were drawn to
    reports: int
    used: Used
    most_bytes: int
    reached: int  # by the bad release
    first_wave: int
    halt_s: float

    @property
    def cpu_ms(self) -> float:
        """Processor time a report."""
        return 1e3 * (self.used.hub_s + self.used.postgres_s) / self.reports

    @property
    def statements(self) -> float:
        return self.used.statements / self.reports


def rollout(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Rollouts to a small fleet and to a large one, each on a hub of its own."""
    scale = QUICK if quick else FULL
    small, large = (measured(devices, scale) for devices in (scale.small, scale.large))
    yield from figures(small, large, scale)


def figures(small: Result, large: Result, scale: Scale) -> Iterator[dict[str, Any]]:
    """The rows that two results make."""
    yield from _duration(large, scale)
    yield from _cost(small, large)
    yield from _bad_release(large)


def measured(devices: int, scale: Scale) -> Result:
    """All that is measured with one fleet."""
    pace = ("--pace", str(scale.state_s), "--probation", str(scale.probation_s))
    with Factory(devices) as factory:
        good, bad = (bench_release.publish(factory.hub, number=number) for number in (1, 2))
        add_s = factory.add_devices()
        fleet = factory.start_fleet("--fail", FAIL, "--fail-release", bad, *pace)
        before, began = factory.meter.used(), time.monotonic()
        with factory.meter.watching():
            factory.await_births()
            first = _roll_out(factory, good, scale, expected="done")
            rollout_s = time.monotonic() - began
            used = factory.meter.used().since(before)
            second = _roll_out(factory, bad, scale, expected="halted")
        return Result(
            devices=devices,
            add_s=add_s,
            enrol_s=fleet["seconds"]["enrolled"],
            connect_s=fleet["seconds"]["connected"],
            rollout_s=rollout_s,
            right=_right(factory, first, fleet["faults"]["fail"]),
            reports=_one(factory, "reports", first),
            used=used,
            most_bytes=factory.meter.most_bytes,
            reached=_one(factory, "reached", second),
            first_wave=_one(factory, "first_wave", second),
            halt_s=_one(factory, "halt", second),
        )


def _roll_out(factory: Factory, release: str, scale: Scale, *, expected: str) -> str:
    """Roll ``release`` out to all and wait for the end, which must be the one ``expected``."""
    waves = [word for wave in WAVES for word in ("--wave", wave)]
    times = ["--soak", f"{scale.soak_s / 3600:.8f}", "--timeout", f"{TIMEOUT_S / 3600}"]
    limits = ["--tolerate", TOLERATED, *times]
    started = factory.andon("rollout", "start", release, *waves, *limits)["rollout"]["id"]
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        row = factory.hub.database.row(QUERIES["state"], {"rollout": started})
        if row is not None and row["state"] in FINAL:
            break
        if time.monotonic() > deadline:
            raise PartError(f"{started} did not end: {row}")
        time.sleep(LOOK_S)
    if row["state"] != expected:
        raise PartError(f"expected {started} to end as {expected}, it is {row['state']}: {row['reason']}")
    return str(started)


def _right(factory: Factory, rollout: str, failing: list[str]) -> int:
    """How many devices ended as they were drawn to: rolled back, or committed."""
    drawn = frozenset(failing)
    rows = factory.hub.database.rows(QUERIES["endings"], {"rollout": rollout})
    return sum(row["state"] == ("rolled-back" if row["name"] in drawn else "committed") for row in rows)


def _one(factory: Factory, query: str, rollout: str) -> Any:
    row = factory.hub.database.row(QUERIES[query], {"rollout": rollout})
    assert row is not None, f"{query} always has an answer"
    (value,) = row.values()
    return value


def _duration(large: Result, scale: Scale) -> Iterator[dict[str, Any]]:
    devices = f"{large.devices} devices"
    waves = f"{len(WAVES)} waves, {scale.soak_s:g} s of soak each, {FAIL} fail"
    yield {"figure": f"{devices} added by a file", "value": large.add_s, "unit": "s"}
    yield {"figure": f"{devices} enrolled over HTTPS", "value": large.enrol_s, "unit": "s"}
    yield {"figure": f"{devices} connected, a certificate each", "value": large.connect_s, "unit": "s"}
    yield {
        "figure": f"{devices}, {waves}: from all connected to done",
        "value": large.rollout_s,
        "unit": "s",
        "bar": "<= 300",
    }
    yield {
        "figure": "devices that ended as drawn",
        "value": large.right,
        "unit": "device",
        "reference": "devices",
        "reference_value": large.devices,
        "bar": ">= 1.0",
        "exact": True,
    }


def _cost(small: Result, large: Result) -> Iterator[dict[str, Any]]:
    yield {
        "figure": f"memory of the hub's processes, {large.devices} devices, at most",
        "value": large.most_bytes / 1e6,
        "unit": "MB",
        "bar": "<= 500",
    }
    for name, value, reference, unit in (
        ("processor time a report, hub and PostgreSQL", large.cpu_ms, small.cpu_ms, "ms"),
        ("statements a report", large.statements, small.statements, "statement"),
    ):
        yield {
            "figure": f"{name}, {large.devices} devices",
            "value": value,
            "unit": unit,
            "reference": f"{small.devices} devices",
            "reference_value": reference,
            "bar": "<= 1.3",
        }


def _bad_release(large: Result) -> Iterator[dict[str, Any]]:
    yield {
        "figure": "devices reached by a bad release",
        "value": large.reached,
        "unit": "device",
        "reference": "its first wave",
        "reference_value": large.first_wave,
        "bar": "<= 1.0",
        "exact": True,
    }
    yield {"figure": "from its first failure to the halt", "value": large.halt_s, "unit": "s"}
