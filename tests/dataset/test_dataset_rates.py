"""One dataset, one rate: machines measured otherwise than most, or otherwise than before, are left out by name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud_hub.dataset.causality import Causality
from cloud_hub.dataset.manifest import draw_up
from cloud_hub.dataset.membership import Membership, choose
from cloud_hub.dataset.quality import assess
from cloud_hub.dataset.reading import Query
from cloud_hub.dataset.snapshot import Dataset
from cloud_hub.registry import manifests
from models.use_case import UseCase, find
from tests.dataset.dataset_found import found, pumps
from wire.manifest import Waveform
from wire.table import Bearing, Machine, Signal, SignalKind, SignalTable

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RATE_HZ = 12_800.0
STANDARD = Bearing(balls=9, ball_mm=7.94, pitch_mm=39.04)  # a 6205
SMALL = Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5)
USE_CASE = find("motor-health")


def row(
    name: str,
    *,
    rates: tuple[float, float] = (RATE_HZ, RATE_HZ),
    bearing: Bearing | None = SMALL,
    days: float = 0,
    feature_set: str = "vibration-trend/2",
) -> dict[str, Any]:
    """As the store tells it: a motor-pump set under one signal table, first seen after ``days``."""
    machine = Machine(name=name, machine_class="motor-pump", feature_set=feature_set, bearing=bearing)
    left = list(rates)
    signals = tuple(
        Signal(
            id=place,
            machine=0,
            name=signal.name,
            unit=signal.unit,
            kind=SignalKind(signal.kind),
            rate_hz=left.pop(0) if signal.kind == "waveform" else 1.0,
        )
        for place, signal in enumerate(USE_CASE.signals)
    )
    table = SignalTable(machines=(machine,), signals=signals)
    return {
        "id": 1, "name": name, "site": "lyon", "device": 1, "skew_s": None, "body": table.to_fields(), "place": 0,
        "seen": BEGIN + timedelta(days=days), "hash": table.hash.hex(), "current": None,
    }  # fmt: skip


def chosen(*rows: dict[str, Any], since_days: float = -1, use_case: UseCase = USE_CASE) -> Membership:
    return choose(rows, use_case, since=BEGIN + timedelta(days=since_days))


def test_all_machines_of_a_dataset_have_the_rate_that_it_says() -> None:
    membership = chosen(row("a"), row("b", rates=(12_850.0, RATE_HZ)), row("c"))
    assert [member.name for member in membership.members] == ["a", "b", "c"]
    assert membership.waveforms == tuple(
        Waveform(name=name, rate_hz=RATE_HZ) for name in ("vibration_x", "vibration_y")
    )


def test_a_machine_of_another_rate_than_most_is_left_out_by_name() -> None:
    membership = chosen(row("a", rates=(RATE_HZ, 25_600.0)), row("b"), row("c"))
    assert [member.name for member in membership.members] == ["b", "c"]
    assert membership.left_out == {
        "a": "its windows have another rate than those of most machines: "
        "vibration_y: expected windows at 12800 Hz, got 25600 Hz"
    }
    assert {waveform.rate_hz for waveform in membership.waveforms} == {RATE_HZ}


def test_measured_rates_that_differ_by_a_crystal_are_one_rate() -> None:
    """Each tells another number, and none of them is less of a rate than the one machine's at half of it."""
    measured = [row(f"b{place}", rates=(RATE_HZ + place, RATE_HZ - place)) for place in range(5)]
    membership = chosen(row("a", rates=(6_400.0, 6_400.0)), *measured)
    assert membership.left_out.keys() == {"a"}


def test_a_machine_that_tells_no_rate_is_left_out_by_name() -> None:
    membership = chosen(row("a", rates=(0.0, RATE_HZ)), row("b"))
    assert "vibration_x: expected a sampling rate above 0 Hz, got none" in membership.left_out["a"]


def test_a_rate_that_changed_in_mid_life_leaves_its_machine_out_and_a_later_span_does_not() -> None:
    changed = (row("a", rates=(25_600.0, 25_600.0)), row("a", days=5))
    told = chosen(*changed).left_out["a"]
    assert "how it is measured changed, seen 2026-01-06" in told
    assert "vibration_x at 12800 Hz instead of 25600 Hz, vibration_y at" in told
    assert "--since" in told
    assert chosen(*changed, since_days=6).left_out == {}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, SMALL, "8 balls of 6.75 mm on 28.5 mm instead of 9 balls of 7.94 mm on 39.04 mm"),
        (SMALL, replace(SMALL, contact_deg=15.0), "on 28.5 mm at 15 degrees instead of 8 balls"),
        (None, STANDARD, ""),  # what was assumed is what it is
        (replace(SMALL, balls=2), SMALL, ""),  # no features were made while it was declared wrongly
    ],
)
def test_lines_that_were_looked_for_elsewhere_before_leave_a_machine_out(
    before: Bearing | None, after: Bearing, told: str
) -> None:
    reason = chosen(row("a", bearing=before), row("a", bearing=after, days=5)).left_out.get("a", "")
    assert told in reason
    assert bool(told) == bool(reason)


def test_a_bearing_that_cannot_be_leaves_its_machine_out_by_name() -> None:
    membership = chosen(row("a", bearing=replace(SMALL, ball_mm=None)), row("b"))
    assert [member.name for member in membership.members] == ["b"]
    assert "its device makes no features of it: ball diameter: expected" in membership.left_out["a"]


def test_machines_with_bearings_of_their_own_are_learnt_from_together() -> None:
    membership = chosen(row("a", bearing=SMALL), row("b", bearing=STANDARD), row("c", bearing=None))
    assert [(member.name, member.bearing_assumed) for member in membership.members] == [
        ("a", False),
        ("b", False),
        ("c", True),
    ]
    assert membership.left_out == {}


def test_who_declares_no_bearing_is_told_of_and_stops_nobody() -> None:
    hours = range(40)
    readings = [[[10.0 + hour % 7, 2.0 + hour % 5] for hour in hours]] * 2
    plain = found([hours, hours], readings)  # type: ignore[arg-type]  # what NumPy takes
    assert [finding for finding in assess(plain, pumps()).findings if finding.check == "bearing"] == []
    assumed = tuple(replace(member, bearing_assumed=True) for member in plain.members)
    (finding,) = [
        finding
        for finding in assess(replace(plain, members=assumed), pumps()).findings
        if finding.check == "bearing"
    ]
    assert "where a 6205 has them on pump-0, pump-1, for" in finding.text
    assert not finding.stops


def test_rates_go_from_the_machines_through_the_dataset_into_the_manifest_of_a_release() -> None:
    waveforms = chosen(row("a"), row("b")).waveforms
    read = replace(found([range(40)], [[[1.0, 2.0]] * 40]), waveforms=waveforms)  # type: ignore[list-item]
    query = Query(machine_class="pump", feature_set="trend/1", since=BEGIN, until=BEGIN)
    causal = Causality(rows=0, machines=0, leak="")
    told = draw_up(read, query, pumps(), assess(read, pumps()), causal, code="")
    kept: dict[str, Any] = dict.fromkeys(
        ("id", "use_case", "hash", "location", "rows", "machines", "lives", "feature_set"), ""
    )
    dataset = Dataset(**kept, manifest=told, created=BEGIN)
    manifest = manifests.draw_up(
        USE_CASE,
        names=(),
        units=(),
        waveforms=dataset.waveforms,
        interval=None,
        alarms=(),
        highest_anomaly=1.0,
        lineage={},
    )
    assert manifest.waveforms == waveforms
    assert replace(dataset, manifest={}).waveforms == (), "one that an older hub made"
