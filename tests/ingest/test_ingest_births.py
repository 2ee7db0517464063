"""Many births together: each leads to what it would alone, and one that is refused costs no other."""

import json
from dataclasses import replace

import pytest
from ingest_world import Sender, add_device, count, now_us, table_of

from cloud_hub.ingest.births import Born, keep_births, keep_statuses
from cloud_hub.ingest.births_tables import MachineTakenError
from cloud_hub.ingest.directives import publish_pending
from cloud_hub.ingest.rounds import rounds
from cloud_hub.store import fleet
from cloud_hub.store.database import Database
from cloud_hub.store.epochs import to_store
from wire.clock import Clock
from wire.messages import Birth, EpochFloor, Status, UseCaseState
from wire.table import Bearing, SignalTable

NOW = Clock.real().now


@pytest.fixture
def store(database: str):
    with Database(database, most=2) as opened:
        yield opened


@pytest.fixture
def senders(store: Database) -> dict[int, Sender]:
    """Five devices by their ids, none of which the hub has heard yet."""
    names = [f"press-{number:02}" for number in range(1, 6)]
    return {
        add_device(store, name): Sender(name=name, epoch=number, table=table_of(f"{name}-pump"))
        for number, name in enumerate(names, 1)
    }


def keep(store: Database, births: dict):
    with store.transaction() as connection:
        return keep_births(connection, births, NOW())


def born(sender: Sender, **fields):
    return sender.birth(epochs=(EpochFloor(epoch=sender.epoch, floor=1, next=1),), **fields)


def test_births_that_come_together_are_all_kept(store: Database, senders: dict[int, Sender]) -> None:
    running = (UseCaseState(use_case="motor-health", accepted_sequence=7, release="motor-health/1"),)
    kept = keep(store, {device: born(sender, use_cases=running) for device, sender in senders.items()})
    assert all(isinstance(item, Born) for item in kept.values())
    assert {(device, to_store(s.epoch)) for device, s in senders.items()} == {
        stream for item in kept.values() for stream in item.told
    }
    for device in fleet.devices(store):
        assert [each.accepted_sequence for each in device.releases] == [7]
        assert device.agent_version == "1"
    assert (count(store, "machine"), count(store, "signal")) == (5, 15)
    again = keep(store, {device: born(sender) for device, sender in senders.items()})
    assert (again.keys(), count(store, "signal_table")) == (kept.keys(), 5)


def test_a_bearing_is_kept_as_declared_even_where_a_number_of_it_is_none(
    store: Database, senders: dict[int, Sender]
) -> None:
    balls = (9, float("nan"))
    births = {}
    for (device, sender), told in zip(senders.items(), balls, strict=False):
        bearing = Bearing(balls=told, ball_mm=7.94, pitch_mm=39.04)
        machines = tuple(replace(machine, bearing=bearing) for machine in sender.table.machines)
        sender.table = replace(sender.table, machines=machines)
        births[device] = Birth.from_json(born(sender).to_json())
    assert all(isinstance(item, Born) for item in keep(store, births).values())
    rows = store.rows("SELECT device, hash, body FROM signal_table ORDER BY device")
    kept = [SignalTable.from_fields(row["body"]) for row in rows]
    assert [table.machines[0].bearing.balls for table in kept] == [9, None]
    assert [table.hash for table in kept] == [bytes(row["hash"]) for row in rows]
    assert [json.loads(table.to_json()) for table in kept] == [row["body"] for row in rows]


def test_a_table_that_declares_no_bearing_is_kept_as_it_always_was(
    store: Database, senders: dict[int, Sender]
) -> None:
    device, *_ = senders
    keep(store, {device: born(senders[device])})
    (row,) = store.rows("SELECT body FROM signal_table")
    assert row["body"]["machines"][0].keys() == {"name", "machine_class", "feature_set"}


def test_a_birth_that_claims_a_neighbours_machine_costs_the_others_nothing(
    store: Database, senders: dict[int, Sender]
) -> None:
    first, thief, *_ = senders
    senders[thief] = replace(senders[thief], table=senders[first].table)
    kept = keep(store, {device: born(sender) for device, sender in senders.items()})
    refused = {device for device, item in kept.items() if isinstance(item, MachineTakenError)}
    assert refused == {thief}
    assert str(kept[thief]) == "machine 'press-01-pump' belongs to press-01"
    rows = store.rows("SELECT id FROM device WHERE born IS NOT NULL")
    assert {row["id"] for row in rows} == senders.keys() - {thief}


def test_only_the_device_whose_outbox_is_gone_gets_a_gap(store: Database, senders: dict[int, Sender]) -> None:
    keep(store, {device: born(sender) for device, sender in senders.items()})
    wiped, *_ = senders
    senders[wiped].epoch = 99
    keep(store, {device: born(sender) for device, sender in senders.items()})
    rows = store.rows("SELECT device, reason FROM gap")
    assert [(row["device"], row["reason"]) for row in rows] == [(wiped, "outbox-lost")]
    left = store.rows("SELECT device, epoch FROM mark WHERE superseded IS NOT NULL")
    assert [(row["device"], row["epoch"]) for row in left] == [(wiped, 1)]


def test_an_epoch_that_comes_back_is_a_twin_of_that_device_alone(
    store: Database, senders: dict[int, Sender]
) -> None:
    for epoch in (1, 2, 1):
        births = {device: born(replace(sender, epoch=10 * device + 1)) for device, sender in senders.items()}
        cloned = min(senders)
        named = tuple(EpochFloor(epoch=each, floor=1, next=1) for each in sorted({1, 2} - {epoch}))
        current = EpochFloor(epoch=epoch, floor=1, next=1)
        births[cloned] = senders[cloned].birth(epochs=(*named, current))
        keep(store, births)
    rows = store.rows("SELECT kind, device FROM incident")
    assert [(row["kind"], row["device"]) for row in rows] == [("two-devices-one-name", cloned)]


def test_statuses_that_come_together_are_kept_each(store: Database, senders: dict[int, Sender]) -> None:
    statuses = {
        device: Status(online=number % 2 == 0, since_us=now_us(), reason=f"reason {number}")
        for number, device in enumerate(senders)
    }
    with store.transaction() as connection:
        keep_statuses(connection, statuses, NOW())
    rows = store.rows("SELECT id, online, status_reason FROM device ORDER BY id")
    assert {row["id"]: (row["online"], row["status_reason"]) for row in rows} == {
        device: (status.online, status.reason) for device, status in statuses.items()
    }


class Outgoing:
    """What would go to the broker."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic, payload, *, qos):
        self.sent.append((topic.device, payload))


def test_what_is_pending_is_the_newest_directive_that_was_not_accepted_of_devices_in_service(
    store: Database, senders: dict[int, Sender]
) -> None:
    behind, current, retired, silent, _ = senders
    rows = [
        (behind, 1, b"old"),
        (behind, 2, b"new"),
        (current, 5, b"had"),
        (retired, 1, b"late"),
        (silent, 1, b"x"),
    ]
    with store.transaction() as connection:
        for device, sequence, signed in rows:
            connection.execute(
                "INSERT INTO directive VALUES (%s, 'motor-health', %s, 'motor-health/1', 'r', 'install', %s, %s)",
                (device, sequence, signed, NOW()),
            )
        connection.execute("UPDATE device SET retired = %s WHERE id = %s", (NOW(), retired))
    states = {behind: 1, current: 5}
    keep(
        store,
        {
            device: born(
                senders[device],
                use_cases=(UseCaseState(use_case="motor-health", accepted_sequence=sequence, release=""),),
            )
            for device, sequence in states.items()
        },
    )
    every, some = Outgoing(), Outgoing()
    with store.transaction() as connection:
        publish_pending(connection, every)
        publish_pending(connection, some, [senders[device].name for device in (behind, current, retired)])
    assert every.sent == [("press-01", b"new"), ("press-04", b"x")]
    assert some.sent == [("press-01", b"new")]


def test_turns_hold_everybody_once_and_keep_the_order_of_each() -> None:
    said = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3), ("b", 2)]
    turns = rounds(said, lambda item: item[0])
    assert turns == [[("a", 1), ("b", 1), ("c", 1)], [("a", 2), ("b", 2)], [("a", 3)]]
