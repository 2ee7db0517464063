"""Datasets, quarantine and gaps for the pages about data: real batches, and datasets that were really made."""

from datetime import timedelta
from typing import Any

import numpy as np

from cloud_hub.config import HubConfig
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
    """Two datasets of one use case: the second has more rows of a machine, and a row told twice."""
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
    hub.database.execute("UPDATE site SET name = 'not lyon' WHERE name = 'lyon'")
    hub.database.execute("UPDATE device SET name = 'not cell-1' WHERE name = 'cell-1'")
    stored = Stored(hub.database, scalars=SCALARS, feature_set="trend/1")
    hub.database.execute("UPDATE site SET name = 'tours' WHERE name = 'lyon'")
    hub.database.execute("UPDATE device SET name = 'rig-1' WHERE name = 'cell-1'")
    hub.database.execute("UPDATE site SET name = 'lyon' WHERE name = 'not lyon'")
    hub.database.execute("UPDATE device SET name = 'cell-1' WHERE name = 'not cell-1'")
    return stored


def batch(*, batch_class: BatchClass = BatchClass.SAMPLE, **more: Any) -> bytes:
    told = {"epoch": 5, "sequence": 4400, "floor": 1, "table_hash": TABLE.hash} | more
    return encode(Batch(batch_class=batch_class, **told))


def bad_samples(hub: Hub) -> bytes:
    times = np.array([hub.clock.now_us() - 1_000_000 * second for second in (3, 2, 1)])
    return batch(series=(Series(signal=0, times=times, values=np.array([31.0, np.nan, 33.5])),))


def keep(hub: Hub, device: str | None, reason: str, detail: str, payload: bytes, **more: Any) -> int:
    """A message in quarantine, as ingest keeps it; its number."""
    values = {"sequence": None, "times": 1, "topic": f"andon/v1/{device or 'ghost'}/batch"} | more
    row = hub.database.row(
        """INSERT INTO quarantine (device, topic, epoch, sequence, reason, detail, payload, sha256, bytes, times, received)
           VALUES ((SELECT id FROM device WHERE name = %(device)s), %(topic)s, 5, %(sequence)s, %(reason)s, %(detail)s,
                   %(payload)s, sha256(%(payload)s), %(bytes)s, %(times)s, %(now)s) RETURNING id""",
        {"bytes": len(payload), "now": hub.clock.now() - timedelta(minutes=5), "device": device}
        | {"reason": reason, "detail": detail, "payload": payload}
        | values,
    )
    assert row
    return int(row["id"])


def declare(hub: Hub, device: str) -> None:
    """Its signal table, so that batches of it can be read."""
    hub.database.execute(
        """INSERT INTO signal_table (device, hash, body, machines, signals, seen)
           SELECT device.id, %(hash)s, %(body)s::jsonb,
                  ARRAY (SELECT id FROM machine WHERE name = 'pump-1'),
                  ARRAY (SELECT signal.id FROM signal JOIN machine ON machine.id = signal.machine
                          WHERE machine.name = 'pump-1' AND signal.name = 'flow'), %(now)s
             FROM device WHERE name = %(device)s""",
        {"hash": TABLE.hash, "body": TABLE.to_json().decode(), "now": hub.clock.now(), "device": device},
    )


def seed_quarantine(hub: Hub) -> dict[str, int]:
    """One of each kind, by what it is."""
    declare(hub, "cell-1")
    rows = np.zeros((2, 3), np.float32)
    row_times = np.array([hub.clock.now_us()] * 2)
    alarm = AlarmEvent(
        time_us=hub.clock.now_us(), machine=0, use_case="motor-health", release="motor-health/9", state="opened",
        severity=1.0, message="remaining life 3 h", opened_us=hub.clock.now_us(),
    )  # fmt: skip
    return {
        "nan": keep(hub, "cell-1", "NotFinite", "expected finite values, got NaN", bad_samples(hub), sequence=4400),
        "wide": keep(
            hub, "cell-1", "WrongWidth", "expected 17 values a row, got 3",
            batch(batch_class=BatchClass.FEATURE, sequence=4401, rows=(Rows(machine=0, source="trend/1", times=row_times, values=rows),)),
            sequence=4401,
        ),
        "alarm": keep(hub, "cell-1", "UnknownRelease", "motor-health/9", batch(batch_class=BatchClass.ALARM, sequence=4402, events=(alarm,)), sequence=4402),
        "garbage": keep(hub, None, "NotABatch", "expected a batch, got 8 bytes", b"\x00<b>\xffhi\n", times=41),
        "reused": keep(hub, "cell-2", "SequenceReused", "expected hash ab, got cd", bad_samples(hub), sequence=17),
        "status": keep(hub, "cell-2", "Message", "expected a status, got []", b"[]", topic="andon/v1/cell-2/status"),
    }  # fmt: skip


def seed_data(hub: Hub) -> None:
    """Everything, for a look at the pages."""
    seed_datasets(hub)
    seed_quarantine(hub)


__all__ = ["HubConfig", "seed_data", "seed_datasets", "seed_quarantine"]
