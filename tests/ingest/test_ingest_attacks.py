"""What a device may do to the hub by what it says: to itself, and once it is retired, nothing."""

from collections.abc import Iterator

import pytest
from ingest_world import Process, Sender, add_device, count, now_us, reasons, table_of
from rollout_world import World, plan

from cloud_hub.identity import devices, revoking
from cloud_hub.store import fleet
from cloud_hub.store.database import Database
from wire.batch import BatchClass, ReportEvent
from wire.clock import Clock

USE_CASE = "motor-health"


@pytest.fixture
def world(database: str) -> Iterator[World]:
    made = World(database)
    yield made
    made.close()


def test_a_retired_device_s_very_next_batch_is_quarantined_under_the_reason_and_nothing_of_it_stored(
    store: Database,
) -> None:
    """By the same process that has just stored one of it: nothing about a device's standing is remembered."""
    add_device(store, "press-01")
    process, sender = Process(store), Sender()
    process.born(sender)
    process.take(sender.arrival(sender.samples([1.0, 2.0])))
    assert count(store, "sample") == 2
    now = Clock.real().now()
    revoking.retire(store, name="press-01", reason="stolen", now=now, note=devices.unnoted)
    outcome = process.take(sender.arrival(sender.samples([3.0, 4.0])))
    assert not outcome.told, "and no mark tells it that anything was taken"
    assert count(store, "sample") == 2
    assert reasons(store) == {"RetiredDevice": 1}
    assert not fleet.device(store, "press-01").online


def test_a_forged_report_is_the_liar_s_own_and_moves_no_rollout(store: Database, world: World) -> None:
    """edge-2 knows all about the directive of edge-1, and says that it was taken and went well.

    The topic's name says whose words these are, and what a rollout believes of a device is what that device
    said about a directive that was issued to it.
    """
    world.add_devices("edge-1", "edge-2")
    store.execute("UPDATE device SET enrolled = added")
    world.add_release(1)
    rollout = world.rollouts.start(plan(waves=("1", "100%")), actor="ada")
    world.engine.step_all()
    (directive,) = world.directives("edge-1")
    assert world.directives("edge-2") == []
    liar, process = Sender(name="edge-2", table=table_of("lathe-2")), Process(store)
    process.born(liar)
    for state in ("probation", "committed", "rolled-back"):
        process.take(liar.arrival(liar.batch(BatchClass.ALARM, events=(forged(directive, state),))))
    rows = store.rows("SELECT DISTINCT device.name FROM report JOIN device ON device.id = report.device")
    assert rows == [{"name": "edge-2"}]
    world.engine.step_all()
    assert world.standings(rollout) == {"edge-1": "offered", "edge-2": "waiting"}
    assert world.state(rollout) == "running"
    assert world.offered() == {"edge-1"}
    released = store.rows("SELECT DISTINCT device.name FROM device_release JOIN device ON device.id = device")
    assert {"name": "edge-1"} not in released


def forged(directive, state: str) -> ReportEvent:
    return ReportEvent(
        time_us=now_us(),
        use_case=directive.use_case,
        directive_sequence=directive.sequence,
        state=state,
        event="",
        release=directive.release,
        rollout=directive.rollout,
    )
