"""Storage on a page: the figures are the server's own, and whether the disk lasts is said only where it is known."""

import re
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from cloud_hub.console.app import create_app
from cloud_hub.console.words import size
from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from cloud_hub.store import storage
from cloud_hub.store.outgrowing import foresee
from cloud_hub.store.partitions import DAY_US
from cloud_hub.store.storage import Table, pace_of
from tests.console.console_people import Browser
from wire.clock import EPOCH, Clock

NOW = EPOCH + timedelta(days=20_000)
DAY = timedelta(days=1)
GB = 10**9


def plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def table(name: str = "sample", **changes: object) -> Table:
    plenty = Table(
        name=name,
        rows=1,
        bytes=10 * GB,
        partitions=60,
        filled=60,
        compressed=0,
        oldest=NOW - 10 * DAY,
        newest=NOW,
        kept_days=30.0,
        drops=NOW + 20 * DAY,
        bytes_a_day=1.0 * GB,
        known_days=7.0,
    )
    return replace(plenty, **changes)  # type: ignore[arg-type]


def part(first: float, last: float, count: int = GB) -> dict[str, object]:
    """A partition from so many days ago to so many."""
    return {"lower": NOW - first * DAY, "upper": NOW - last * DAY, "bytes": count}


def test_figures_are_those_of_the_server(client: FlaskClient, hub: Hub) -> None:
    hub.database.execute("ANALYZE sample")
    hub.database.execute("ANALYZE prediction")
    found = storage.look(hub.database, hub.config.store, hub.clock)
    tables = {each.name: each for each in found.tables}
    for name in ("sample", "prediction"):
        true = hub.database.row(
            f"""SELECT (SELECT count(*) FROM {name}) AS rows,
                       (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{name}') WHERE isleaf)::bigint
                           AS bytes,
                       (SELECT count(*) FROM pg_partition_tree('{name}') WHERE isleaf) AS partitions"""
        )
        assert true
        assert (tables[name].rows, tables[name].bytes, tables[name].partitions) == tuple(true.values())
    whole = hub.database.row("SELECT pg_database_size(current_database()) AS bytes")
    assert whole
    assert found.bytes == pytest.approx(whole["bytes"], rel=0.1)
    text = plain(client.get("/data/storage").text)
    assert f"sample what sensors read {tables['sample'].rows:,}".replace(",", " ") in text
    assert size(tables["sample"].bytes).replace("\u202f", " ") in text
    assert "raw_retention_days" in text
    assert "needs TimescaleDB's hypertables" in text


def test_times_are_edges_of_partitions_that_hold_rows(hub: Hub) -> None:
    (sample, *_) = storage.look(hub.database, hub.config.store, hub.clock).tables
    row = hub.database.row(
        "SELECT min(time) AS first, max(time) AS last FROM sample WHERE tableoid <> 'sample_rest'::regclass"
    )
    assert row
    width = timedelta(hours=hub.config.store.partition_hours)
    assert sample.oldest
    assert sample.drops
    assert sample.oldest <= row["first"] < sample.oldest + width
    assert sample.drops == sample.oldest + width + sample.kept_days * DAY
    assert sample.newest == pytest.approx(row["last"], abs=width)


def test_rollups_that_wait_are_told_without_the_open_hour(client: FlaskClient, hub: Hub) -> None:
    found = storage.look(hub.database, hub.config.store, hub.clock).backlog
    open_hour = hub.clock.now().replace(minute=0, second=0, microsecond=0)
    true = hub.database.row(
        "SELECT count(*) AS hours, min(hour) AS oldest FROM touched WHERE hour < %(open)s",
        {"open": open_hour},
    )
    assert true
    assert (found.hours, found.oldest, found.more) == (true["hours"], true["oldest"], False)
    assert "14 d ago" in plain(client.get("/data/storage").text).replace("\u202f", " ")


def test_everybody_who_sees_something_sees_it_and_no_name_of_a_place(lyon: FlaskClient) -> None:
    text = lyon.get("/data/storage").text
    assert "Storage and retention" in text
    for name in ("tours", "cell-", "pump-", "/postgres", "data_directory"):
        assert name not in text


def test_a_pace_is_that_of_whole_partitions_of_the_last_week() -> None:
    days = [part(each, each - 1) for each in range(9, 0, -1)]
    assert pace_of([*days, part(0, -1, 5)], NOW) == (GB, 7.0)
    assert pace_of(days[-3:], NOW) == (GB, 2.0)  # nobody knows since when the first was filled


def test_of_wide_partitions_the_open_one_counts_as_far_as_it_has_come() -> None:
    assert pace_of([part(40, 10), part(10, -20, 5 * GB)], NOW) == (GB / 2, 10.0)


@pytest.mark.parametrize("parts", [[], [part(10, -20)], [part(3, 0.5), part(0.5, -0.5)]])
def test_less_than_a_day_tells_no_pace(parts: list[dict[str, object]]) -> None:
    assert pace_of(parts, NOW)[0] is None


def test_a_disk_lasts_where_the_oldest_goes_before_it_is_full() -> None:
    found = foresee([table()], 21 * GB, NOW)
    assert found
    assert (found.full_days, found.more_bytes, found.level_days) == (None, 20.0 * GB, 20.0)


def test_a_disk_that_is_full_before_that_says_when() -> None:
    found = foresee([table()], 5 * GB, NOW)
    assert found
    assert found.full_days == 5.0


def test_tables_that_are_as_long_as_they_are_kept_grow_no_more() -> None:
    full = table(oldest=NOW - 31 * DAY)
    found = foresee([full, table("feature", kept_days=1095.0, bytes_a_day=0.1 * GB)], 3 * GB, NOW)
    assert found
    assert found.bytes_a_day == 0.1 * GB
    assert found.full_days == pytest.approx(30.0)
    level = foresee([full], 1, NOW)
    assert level
    assert (level.full_days, level.bytes_a_day) == (None, 0)


def test_a_pace_that_ends_counts_until_it_ends() -> None:
    both = [table(kept_days=15.0), table("feature", kept_days=100.0, bytes_a_day=0.5 * GB)]
    found = foresee(both, round(10 * GB), NOW)
    assert found
    assert found.full_days == pytest.approx(5 + (10 - 7.5) / 0.5)


def test_what_nobody_knows_is_not_said() -> None:
    assert foresee([table(bytes_a_day=None)], GB, NOW) is None
    found = foresee([table(), table("feature", bytes_a_day=None)], None, NOW)
    assert found
    assert (found.full_days, found.unknown) == (None, ("feature",))


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (999_600, "1 MB"),
        (21_400_000_000, "21.4 GB"),
        (5e15, "5 000 TB"),
    ],
)
def test_bytes_are_said_in_three_digits(count: float, told: str) -> None:
    assert size(count).replace("\u202f", " ") == told


def test_days_of_a_clock_that_runs_fast_are_called_so(client: FlaskClient, hub: Hub, office: Office) -> None:
    assert "faster than a watch" not in client.get("/data/storage").text
    fast = Clock(hub.clock.now_us() - DAY_US, 60.0, time.time())
    browser = Browser.of(create_app(replace(hub, clock=fast), office), office, "mira")
    assert "faster than a watch" in browser.client.get("/data/storage").text
