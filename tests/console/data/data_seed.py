"""Datasets and quarantine for the pages about data: datasets that were really made, batches as devices send them."""

from datetime import timedelta
from typing import Any

import numpy as np

from cloud_hub.dataset.snapshot import Dataset, snapshot
from cloud_hub.hub import Hub
from models.use_case import UseCase
from tests.stored_machines import BEGIN_US, HOUR_US, SCALARS, TURBOFAN, Stored, fleet, life_of
from wire.batch import AlarmEvent, Batch, BatchClass, Rows, Series
from wire.codec import encode
from wire.table import Machine, Signal, SignalTable

TABLE = SignalTable(
    machines=(Machine(name="pump-1", machine_class="motor-pump", feature_set="trend/1"),),
    signals=(Signal(id=0, machine=0, name="flow", unit="m3/h"),),
)
INSERT = """
INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, payload, sha256, bytes, times, received)
VALUES ((SELECT id FROM device WHERE name = %(device)s), %(topic)s, 5, %(sequence)s, %(reason)s, %(detail)s,
        %(payload)s, sha256(%(payload)s), %(bytes)s, %(times)s, %(received)s) RETURNING id
"""
DECLARE = """
INSERT INTO signal_table (device, hash, body, machines, signals, seen)
SELECT device.id, %(hash)s, %(body)s::jsonb, ARRAY (SELECT id FROM machine WHERE name = 'pump-1'),
       ARRAY (SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine
               WHERE machine.name = 'pump-1' AND signal.name = 'flow'), %(now)s
  FROM device WHERE name = %(device)s
ON CONFLICT DO NOTHING
"""


def small_turbofan() -> UseCase:
    """Two signals instead of 24."""
    fields = TURBOFAN.model_dump(exclude_unset=True) | {
        "signals": [{"name": name, "unit": unit} for name, unit in SCALARS],
        "life": TURBOFAN.life.model_dump() | {"least_failures": 6},
        "feature_set": "trend/1",
        "conditions": None,
    }
    return UseCase.model_validate(fields)


def seed_datasets(hub: Hub) -> list[Dataset]:
    """Two of one use case: the second by other code, with a row more of engine-8, and one of engine-4 told twice."""
    stored = _stored(hub)
    fleet(stored)
    use_case = small_turbofan()
    first = snapshot(hub.database, hub.artifacts, use_case, hub.clock, code="andon 0.1.0")
    stored.rows("engine-8", [BEGIN_US + HOUR_US * 500], life_of(stored, 1, 30)[-1:])
    stored.rows("engine-4", [BEGIN_US + HOUR_US], life_of(stored, 3, 1), sequence=2)
    second = snapshot(hub.database, hub.artifacts, use_case, hub.clock, code="andon 0.2.0")
    stored.run("turbofan-run-1", dataset=second.id)
    return [first, second]


def _stored(hub: Hub) -> Stored:
    """Machines of a device ``rig-1`` at ``tours``, beside whatever plant there is."""
    for before, after in (("lyon", "not lyon"), ("cell-1", "not cell-1")):
        _rename(hub, before, after)
    stored = Stored(hub.database, scalars=SCALARS, feature_set="trend/1")
    for before, after in (
        ("lyon", "tours"),
        ("cell-1", "rig-1"),
        ("not lyon", "lyon"),
        ("not cell-1", "cell-1"),
    ):
        _rename(hub, before, after)
    return stored


def _rename(hub: Hub, before: str, after: str) -> None:
    names = {"before": before, "after": after}
    for table in ("site", "device"):
        hub.database.execute(f"UPDATE {table} SET name = %(after)s WHERE name = %(before)s", names)


def batch(*, batch_class: BatchClass = BatchClass.SAMPLE, **more: Any) -> bytes:
    told = {"epoch": 5, "sequence": 4400, "floor": 1, "table_hash": TABLE.hash} | more
    return encode(Batch(batch_class=batch_class, **told))


def bad_samples(now_us: int) -> bytes:
    times = np.array([now_us - 1_000_000 * second for second in (3, 2, 1)])
    return batch(series=(Series(signal=0, times=times, values=np.array([31.0, np.nan, 33.5])),))


def bad_rows(now_us: int) -> bytes:
    rows = Rows(
        machine=0, source="trend/1", times=np.array([now_us] * 2), values=np.zeros((2, 3), np.float32)
    )
    return batch(batch_class=BatchClass.FEATURE, sequence=4401, rows=(rows,))


def strange_alarm(now_us: int, message: str) -> bytes:
    alarm = AlarmEvent(
        time_us=now_us,
        machine=0,
        use_case="motor-health",
        release="motor-health/9",
        state="opened",
        severity=1.0,
        message=message,
        opened_us=now_us,
    )
    return batch(batch_class=BatchClass.ALARM, sequence=4402, events=(alarm,))


def keep(hub: Hub, device: str | None, reason: str, detail: str, payload: bytes, **more: Any) -> int:
    """A message in quarantine, as ingest keeps it; its number."""
    values = {
        "device": device,
        "reason": reason,
        "detail": detail,
        "payload": payload,
        "bytes": len(payload),
        "sequence": None,
        "times": 1,
        "topic": f"andon/v1/{device or 'ghost'}/batch",
        "received": hub.clock.now() - timedelta(minutes=5),
    }
    row = hub.database.row(INSERT, values | more)
    assert row
    return int(row["id"])


def seed_quarantine(hub: Hub, *, hostile: str = "") -> dict[str, int]:
    """One of each kind, by what it is; the number of each. ``hostile`` replaces what a device can choose."""
    now = hub.clock.now_us()
    table = {"hash": TABLE.hash, "body": TABLE.to_json().decode(), "now": hub.clock.now(), "device": "cell-1"}
    hub.database.execute(DECLARE, table)
    told = (
        (
            "nan",
            "cell-1",
            "NotFinite",
            "expected finite values, got NaN",
            bad_samples(now),
            {"sequence": 4400},
        ),
        ("wide", "cell-1", "WrongWidth", "expected 17 values, got 3", bad_rows(now), {"sequence": 4401}),
        ("alarm", "cell-1", "UnknownRelease", "9", strange_alarm(now, hostile or "3 h"), {"sequence": 4402}),
        ("garbage", None, "NotABatch", hostile or "8 bytes", b"\x00<b>\xffhi\n", {"times": 41}),
        ("reused", "cell-2", "SequenceReused", "hash ab, got cd", bad_samples(now), {"sequence": 17}),
        ("status", "cell-2", "Message", hostile or "[]", b"[]", {"topic": "andon/v1/cell-2/status"}),
        ("elsewhere", "cell-3", "NotFinite", "expected finite values", bad_samples(now), {"sequence": 18}),
    )
    return {name: keep(hub, *fields, **more) for name, *fields, more in told}


def seed_data(hub: Hub) -> None:
    """Everything, for a look at the pages."""
    seed_datasets(hub)
    seed_quarantine(hub)
