"""A damaged outbox page and the hub, end to end: the batch that nobody can read is named, let go and told."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from ingest_process import Ingest
from ingest_world import Sender, add_device, count, reasons, wait_for

from cloud_hub.store import facts
from cloud_hub.store.database import Database
from edge_agent.config import UplinkSettings
from edge_agent.connection import Address
from edge_agent.draft import Draft
from edge_agent.outbox import Outbox
from edge_agent.uplink import Uplink
from wire.batch import BatchClass
from wire.clock import Clock
from wire.messages import Command

QUICK = UplinkSettings(window=8, resend_s=0.3, resend_max_s=2.0, reconnect_max_s=0.5)


class Voice:
    """Who answers for the device: it has one table and obeys nobody."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def births(self, *, every_table: bool) -> list[bytes]:
        return [self.sender.birth().to_json()]

    def directive(self, use_case: str, payload: bytes) -> None: ...

    def command(self, command: Command) -> None: ...


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 30)
    yield made
    made.close()


def draft(sender: Sender, value: float) -> Draft:
    return Draft(
        batch_class=BatchClass.SAMPLE,
        table_hash=sender.table.hash,
        series=tuple(sender.samples([value] * 10).series),
    )


def test_a_batch_damaged_on_the_devices_disk_costs_itself_alone(
    store: Database, ingest: Ingest, broker, outbox: Outbox, tmp_path: Path
) -> None:
    sender = Sender()
    add_device(store, sender.name)
    outbox.commit([draft(sender, float(number)) for number in range(5)], now_us=0)
    with sqlite3.connect(tmp_path / "outbox.db") as disk:
        disk.execute("UPDATE batch SET payload = zeroblob(40) WHERE id & 0xff = 3")
    disk.close()
    ingest.start()
    ingest.said("connected to the broker")
    uplink = Uplink(
        device=sender.name,
        address=Address(host=broker.host, port=broker.port, tls=broker.authority.issue(sender.name).context),
        settings=QUICK,
        outbox=outbox,
        clock=Clock.real(),
        listener=Voice(sender),
        random=Random(1),
    )
    uplink.start()
    try:
        wait_for(lambda: outbox.backlog.batches == 0)
        outbox.commit([draft(sender, 9.0)], now_us=1, tell_losses=True)
        uplink.nudge()
        wait_for(lambda: outbox.backlog.batches == 0)
    finally:
        uplink.stop()
    assert (count(store, "sample"), reasons(store)) == (50, {"NotABatch": 1})
    assert facts.facts(store).missing == {"unreadable": 1}
