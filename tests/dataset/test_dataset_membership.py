"""A strange machine is left out by name with its reason, and the others are learnt from all the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloud_hub.dataset.membership import Membership, choose
from models.use_case import UseCase, find
from wire.table import Machine, Signal, SignalKind, SignalTable

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GOOD = (("flow", "L/min"), ("pressure", "bar"))


def use_case() -> UseCase:
    fields = find("turbofan-rul").model_dump(exclude_unset=True)
    fields |= {"signals": [{"name": name, "unit": unit} for name, unit in GOOD], "feature_set": "trend/1"}
    return UseCase.model_validate(fields | {"conditions": None})


def row(
    name: str = "pump-1",
    signals: tuple[tuple[str, str], ...] = GOOD,
    *,
    days: float = 0,
    feature_set: str = "trend/1",
    current: str | None = None,
    kind: SignalKind = SignalKind.SCALAR,
) -> dict[str, Any]:
    """As the store tells it: one machine under one signal table."""
    table = SignalTable(
        machines=(Machine(name=name, machine_class="turbofan", feature_set=feature_set),),
        signals=tuple(Signal(id=i, machine=0, name=n, unit=u, kind=kind) for i, (n, u) in enumerate(signals)),
    )
    body = {"machines": [vars_of(m) for m in table.machines], "signals": [vars_of(s) for s in table.signals]}
    return {
        "id": 1, "name": name, "site": "lyon", "device": 1, "skew_s": None, "body": body, "place": 0,
        "seen": BEGIN + days * DAY, "hash": table.hash.hex(), "current": current,
    }  # fmt: skip


def vars_of(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def chosen(*rows: dict[str, Any], since_days: float = -1) -> Membership:
    return choose(rows, use_case(), since=BEGIN + since_days * DAY)


def test_machines_with_the_declared_signals_belong_to_it() -> None:
    found = chosen(row("pump-1"), row("pump-2"))
    assert [member.name for member in found.members] == ["pump-1", "pump-2"]
    assert found.names[0] == "flow.last"
    assert found.left_out == {}


@pytest.mark.parametrize(
    ("strange", "reason"),
    [
        (row("x", (("flow", "L/min"),)), "not those of turbofan-rul: without pressure"),
        (row("x", (*GOOD, ("speed", "1/min"))), "with speed besides"),
        (row("x", (("flow", "L/min"), ("pressure", "kPa"))), "pressure in kPa instead of bar"),
        (row("x", feature_set="vibration/1"), "expected features 'trend/1', its device makes 'vibration/1'"),
        (row("x", GOOD[::-1]), "another order than on most machines"),
        (row("x", kind=SignalKind.WAVEFORM), "flow a waveform instead of a scalar"),
    ],
)
def test_a_strange_machine_is_left_out_by_name_and_stops_nobody(strange: dict[str, Any], reason: str) -> None:
    found = chosen(row("pump-1"), row("pump-2"), strange)
    assert [member.name for member in found.members] == ["pump-1", "pump-2"]
    assert reason in found.left_out["x"]


def test_a_unit_that_changed_in_mid_life_leaves_its_machine_out() -> None:
    found = chosen(row("a"), row("x", (GOOD[0], ("pressure", "kPa"))), row("x", days=5))
    assert "its signals changed, seen 2026-01-06" in found.left_out["x"]
    assert "pressure in bar instead of kPa" in found.left_out["x"]
    assert "--since" in found.left_out["x"]


def test_a_span_after_the_change_is_a_way_out() -> None:
    changed = (row("x", (GOOD[0], ("pressure", "kPa"))), row("x", days=5))
    assert chosen(*changed, since_days=6).left_out == {}
    assert "x" in chosen(*changed, since_days=4).left_out


def test_a_device_that_went_back_to_an_earlier_table_is_not_trusted_about_when() -> None:
    first = row("x", (GOOD[0], ("pressure", "kPa")))
    second = row("x", days=5, current=first["hash"])
    assert "its signals changed" in chosen(first, second, since_days=6).left_out["x"]


def test_a_new_table_with_the_same_signals_changes_nothing() -> None:
    assert chosen(row("x"), row("x", days=5) | {"hash": "other"}).left_out == {}
