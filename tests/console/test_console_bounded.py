"""What pages ask of the database all the time is answered by indexes, however long a plant's history is."""

import pytest

from cloud_hub.console.here import SQL
from cloud_hub.hub import Hub
from cloud_hub.store.database import load_queries

QUARANTINE = load_queries("cloud_hub.store", "quarantine_list.sql")
GROWING = (
    "alarm",
    "audit",
    "capture",
    "device_release",
    "gap",
    "job_attempt",
    "label",
    "quarantine",
    "report",
    "rollout_device",
)
ASKED: dict[str, object] = {"sites": None, "reason": "", "device": "", "state": "waiting", "since": None}
PAGE: dict[str, object] = {"size": 50, "offset": 5000, "most": 10}


def test_the_pulse_reads_no_history(hub: Hub) -> None:
    plan = _plan(hub, SQL["pulse"])
    for table in GROWING:
        assert f"Seq Scan on {table} " not in plan, table
    for index in ("alarm_open", "rollout_device_changed", "device_release_changed", "quarantine_received"):
        assert f" using {index} on " in plan, index


@pytest.mark.parametrize(
    ("query", "index"),
    [("waiting", "quarantine_waits"), ("count", "quarantine_"), ("page", "quarantine_newest")],
)
def test_quarantine_is_listed_without_its_payloads(hub: Hub, query: str, index: str) -> None:
    plan = _plan(hub, QUARANTINE[query], ASKED | PAGE)
    assert f"Index Only Scan using {index}" in plan or f"Index Only Scan Backward using {index}" in plan


def _plan(hub: Hub, query: str, values: dict[str, object] | None = None) -> str:
    """As it is for a plant with a history: where reading a whole table is dear."""
    with hub.database.transaction() as connection:
        for step in ("SET LOCAL enable_seqscan = off", "SET LOCAL enable_bitmapscan = off"):
            connection.execute(step)
        rows = connection.execute(f"EXPLAIN {query}", values).fetchall()
    return "\n".join(row["QUERY PLAN"] for row in rows)
