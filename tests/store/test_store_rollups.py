"""Rollups say what a recount of every sample says, whoever wrote, was late, or was dropped meanwhile."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

from cloud_hub.config import StoreSettings
from cloud_hub.store import charts, partitions, rollups
from cloud_hub.store.database import Connection, Database
from wire.clock import Clock, to_datetime, to_us

MINUTE, HOUR, DAY = 60_000_000, partitions.HOUR_US, partitions.DAY_US
BEGIN = 1_700_000_000_000_000 // DAY * DAY
# Widths that cut through hours and minutes, and a retention of hours: half of an hour goes before the other.
STORE = StoreSettings(partition_hours=0.71, late_horizon_days=0.1, raw_retention_days=0.11)

Sample = tuple[int, int, float]  # signal, time, value


def at(now_us: int) -> Clock:
    """A clock that reads ``now_us`` now and goes on from there."""
    return Clock(now_us, 1.000001, time.time())


def write(connection: Connection, samples: Iterable[Sample]) -> None:
    """What ingest writes, in the caller's transaction."""
    rows = [(to_datetime(time), signal, value) for signal, time, value in samples]
    first: dict[tuple[int, int], int] = {}
    for signal, moment, _ in samples:
        key = (signal, moment // HOUR * HOUR)
        first[key] = min(first.get(key, moment), moment)
    with connection.cursor() as cursor:
        with cursor.copy("COPY sample (time, signal, value) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.executemany(
            "INSERT INTO touched (signal, hour, earliest) VALUES (%s, %s, %s)",
            [
                (signal, to_datetime(hour), to_datetime(earliest))
                for (signal, hour), earliest in first.items()
            ],
        )


Counted = dict[tuple[int, int], tuple[int, float, float, float]]


def recount(samples: Iterable[Sample], width: int) -> Counted:
    """(count, low, high, sum) by signal and start."""
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for signal, moment, value in samples:
        found[signal, moment // width * width].append(value)
    return {key: (len(all_), min(all_), max(all_), sum(all_)) for key, all_ in found.items()}


def kept(store: Database, table: str) -> Counted:
    rows = store.rows(f"SELECT * FROM {table}")
    return {
        (row["signal"], to_us(row["time"])): (row["count"], row["low"], row["high"], row["sum"])
        for row in rows
    }


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database) as opened:
        opened.execute("INSERT INTO site (name) VALUES ('north')")
        opened.execute(
            "INSERT INTO device (name, site, profile, added) SELECT 'press-01', id, 'generic', %(now)s FROM site",
            {"now": to_datetime(BEGIN)},
        )
        opened.execute(
            "INSERT INTO machine (name, device, machine_class, added)"
            " SELECT 'pump-1', id, 'pump', added FROM device"
        )
        opened.execute(
            "INSERT INTO signal (machine, name, unit, kind)"
            " SELECT id, 's' || number, 'Cel', 'scalar' FROM machine, generate_series(1, 3) AS number"
        )
        yield opened


@pytest.fixture
def connection(store: Database) -> Iterator[Connection]:
    with store.connect() as connection:
        partitions.ensure(connection, STORE, at(BEGIN))
        yield connection


def test_a_writer_that_commits_after_the_turn_looked_is_rolled_up_by_the_next(
    store: Database, connection: Connection
) -> None:
    early, late = [(1, BEGIN - HOUR, 1.0)], [(1, BEGIN - HOUR + 5, 7.0)]
    write(connection, early)
    with store.connect(autocommit=False) as writer:
        write(writer, late)
        assert rollups.turn(connection, STORE, at(BEGIN)) == 1
        assert kept(store, "rollup_minute") == recount(early, MINUTE)
        writer.commit()
    assert rollups.turn(connection, STORE, at(BEGIN)) == 1
    assert kept(store, "rollup_minute") == recount(early + late, MINUTE)
    assert kept(store, "rollup_hour") == recount(early + late, HOUR)
    assert rollups.turn(connection, STORE, at(BEGIN)) == 0


def test_what_was_taken_out_of_touched_comes_back_when_the_turn_dies(
    store: Database, connection: Connection
) -> None:
    samples = [(1, BEGIN - HOUR, 1.0)]
    write(connection, samples)
    store.execute("ALTER TABLE rollup_hour ADD CHECK (count > 1)")
    with pytest.raises(Exception, match="rollup_hour"):
        rollups.turn(connection, STORE, at(BEGIN))
    assert kept(store, "rollup_minute") == {}
    store.execute("ALTER TABLE rollup_hour DROP CONSTRAINT rollup_hour_count_check")
    assert rollups.turn(connection, STORE, at(BEGIN)) == 1
    assert kept(store, "rollup_hour") == recount(samples, HOUR)


def test_the_open_minute_is_written_once_it_has_ended(store: Database, connection: Connection) -> None:
    samples = [(1, BEGIN, 1.0), (1, BEGIN + MINUTE, 2.0), (2, BEGIN + MINUTE + 20, 3.0)]
    write(connection, samples)
    rollups.turn(connection, STORE, at(BEGIN + MINUTE + MINUTE // 2))
    assert kept(store, "rollup_minute") == recount(samples[:1], MINUTE)
    rollups.turn(connection, STORE, at(BEGIN + 2 * MINUTE))
    assert kept(store, "rollup_minute") == recount(samples, MINUTE)
    assert store.rows("SELECT * FROM touched") == []


def test_a_turn_takes_no_more_signals_at_once_than_it_may(store: Database, connection: Connection) -> None:
    samples = [(signal, BEGIN - HOUR, float(signal)) for signal in range(1, 26)]
    write(connection, samples)
    assert rollups.turn(connection, STORE, at(BEGIN), most_signals=5) == 25
    assert kept(store, "rollup_hour") == recount(samples, HOUR)


def test_samples_dropped_before_their_time_shrink_no_rollup(store: Database, connection: Connection) -> None:
    samples = [(1, BEGIN - HOUR, -5.0), (1, BEGIN - HOUR + 1, 5.0)]
    write(connection, samples)
    rollups.turn(connection, STORE, at(BEGIN))
    before = kept(store, "rollup_hour")
    store.execute("DELETE FROM sample")
    store.execute("INSERT INTO touched VALUES (1, %(hour)s)", {"hour": to_datetime(BEGIN - HOUR)})
    rollups.turn(connection, STORE, at(BEGIN))
    assert kept(store, "rollup_hour") == before
    write(connection, [(1, BEGIN - HOUR + 2, 9.0)])
    rollups.turn(connection, STORE, at(BEGIN))
    assert kept(store, "rollup_hour") == {(1, BEGIN - HOUR): (2, -5.0, 9.0, 0.0)}


def test_samples_are_not_dropped_before_they_are_rolled_up(store: Database, connection: Connection) -> None:
    samples = [(1, BEGIN, 4.0)]
    write(connection, samples)
    later = at(BEGIN + 10 * DAY)
    assert partitions.tidy(connection, STORE, later)
    assert store.row("SELECT count(*) AS n FROM sample")["n"] == 1
    partitions.ensure(connection, STORE, later)
    rollups.turn(connection, STORE, later)
    partitions.tidy(connection, STORE, later)
    assert store.row("SELECT count(*) AS n FROM sample")["n"] == 0
    assert kept(store, "rollup_minute") == recount(samples, MINUTE)


def test_rollups_go_after_their_own_time(store: Database, connection: Connection) -> None:
    settings = STORE.model_copy(update={"rollup_minute_days": 60.0, "rollup_hour_days": 600.0})
    write(connection, [(1, BEGIN - HOUR, 4.0)])
    rollups.turn(connection, settings, at(BEGIN))
    partitions.tidy(connection, settings, at(BEGIN + 100 * DAY))
    assert kept(store, "rollup_minute") == {}
    assert len(kept(store, "rollup_hour")) == 1
    partitions.tidy(connection, settings, at(BEGIN + 700 * DAY))
    assert kept(store, "rollup_hour") == {}


def test_minutes_are_kept_at_least_as_long_as_samples() -> None:
    settings = StoreSettings(raw_retention_days=900, rollup_minute_days=10, rollup_hour_days=5)
    for table in partitions.ROLLUPS:
        assert partitions.span_of(table, settings).days == 900
        assert partitions.span_of(table, settings).hours * 100 > 900 * 24


def test_hours_from_before_rollups_existed_are_made_whatever_their_age(
    store: Database, connection: Connection
) -> None:
    for table in partitions.ROLLUPS:
        for row in connection.execute(partitions.QUERIES["existing"], {"table": table}).fetchall():
            store.execute(f"DROP TABLE {row['name']}")
    oldest = store.row("SELECT min(time) AS time FROM sample")["time"]
    assert oldest is None
    wide = STORE.model_copy(update={"raw_retention_days": 30.0, "late_horizon_days": 25.0})
    partitions.ensure(connection, wide, at(BEGIN - 20 * DAY))
    write(connection, samples := [(1, BEGIN - 40 * DAY, 3.0)])
    wide = wide.model_copy(update={"raw_retention_days": 60.0, "late_horizon_days": 1.0})
    partitions.ensure(connection, wide, at(BEGIN))
    rollups.turn(connection, wide, at(BEGIN))
    assert kept(store, "rollup_hour") == recount(samples, HOUR)


def test_two_processes_at_once_with_writers_between_end_with_what_a_recount_says(
    database: str, store: Database, connection: Connection
) -> None:
    written: list[Sample] = []
    writing, lock = threading.Event(), threading.Lock()
    writing.set()
    clock = at(BEGIN)

    def writer(seed: int) -> None:
        draw = random.Random(seed)
        with Database(database) as own, own.connect(autocommit=False) as mine:
            for _ in range(40):
                now = clock.now_us()
                samples = [
                    (draw.randint(1, 3), now - draw.randrange(2 * HOUR), float(draw.randint(-99, 99)))
                    for _ in range(draw.randint(1, 30))
                ]
                write(mine, samples)
                if draw.random() < 0.2:
                    mine.rollback()
                    continue
                time.sleep(draw.random() * 0.02)
                mine.commit()
                with lock:
                    written.extend(samples)

    def job() -> None:
        with Database(database) as own, own.connect() as mine:
            while writing.is_set():
                rollups.turn(mine, STORE, clock, most_signals=2)

    writers = [threading.Thread(target=writer, args=(seed,)) for seed in range(3)]
    jobs = [threading.Thread(target=job) for _ in range(2)]
    for thread in (*writers, *jobs):
        thread.start()
    for thread in writers:
        thread.join()
    writing.clear()
    for thread in jobs:
        thread.join()
    rollups.turn(connection, STORE, at(BEGIN + HOUR))
    assert kept(store, "rollup_minute") == recount(written, MINUTE)
    assert kept(store, "rollup_hour") == recount(written, HOUR)


class Factory:
    """Writers, the turn and retention, in any order; it remembers what was committed."""

    def __init__(self, store: Database, connection: Connection, seed: int) -> None:
        self.store, self.connection = store, connection
        self.draw = random.Random(seed)
        self.now = BEGIN
        self.committed: list[Sample] = []
        self.open: list[tuple[Connection, list[Sample]]] = []

    def step(self) -> None:
        act = self.draw.choices(
            (self.write, self.end, self.turn, self.advance, self.tidy), (30, 30, 25, 15, 10)
        )[0]
        act()

    def write(self) -> None:
        if len(self.open) == 3:
            self.end()
        back = self.draw.choice((HOUR // 10, round(STORE.late_horizon_days * DAY)))
        samples = [
            (self.draw.randint(1, 3), self.now - self.draw.randrange(back), float(self.draw.randint(-99, 99)))
            for _ in range(self.draw.randint(1, 40))
        ]
        writer = self.store.connect(autocommit=False)
        write(writer, samples)
        self.open.append((writer, samples))

    def end(self) -> None:
        if self.open:
            writer, samples = self.open.pop(self.draw.randrange(len(self.open)))
            if self.draw.random() < 0.8:
                writer.commit()
                self.committed += samples
            writer.close()

    def turn(self) -> None:
        rollups.turn(
            self.connection, STORE, at(self.now), most_signals=self.draw.choice((1, rollups.MOST_SIGNALS))
        )

    def advance(self) -> None:
        self.now += self.draw.randrange(HOUR)
        partitions.ensure(self.connection, STORE, at(self.now))

    def tidy(self) -> None:
        while self.open:
            self.end()  # it waits for writers
        partitions.tidy(self.connection, STORE, at(self.now))

    def chart(self) -> None:
        """Any span: both its extremes, and nothing that is not a sample of it or of its first and last minute."""
        start = self.now - self.draw.randrange(1, DAY)
        end = start + self.draw.randrange(1, self.now - start + MINUTE)
        number = self.draw.randint(1, 3)
        chart = charts.series(
            self.store, "pump-1", f"s{number}", to_datetime(start), to_datetime(end), most=20
        )
        inside = [
            value for signal, moment, value in self.committed if signal == number and start <= moment < end
        ]
        around = [
            value
            for signal, moment, value in self.committed
            if signal == number and start // MINUTE * MINUTE <= moment < -(-end // MINUTE) * MINUTE
        ]
        assert len(chart.times) <= 20
        assert list(chart.times) == sorted(set(chart.times)) or len(inside) <= 20
        assert all(to_datetime(start) <= moment < to_datetime(end) for moment in chart.times)
        if inside:
            assert min(around) <= min(chart.low) <= min(inside)
            assert max(inside) <= max(chart.high) <= max(around)
        else:
            assert bool(chart.times) <= bool(around)


@pytest.mark.parametrize("seed", range(6))
def test_any_interleaving_ends_with_what_a_recount_says(
    store: Database, connection: Connection, seed: int
) -> None:
    factory = Factory(store, connection, seed)
    for _ in range(120):
        factory.step()
        factory.chart()
    while factory.open:
        factory.end()
    factory.now += HOUR
    factory.advance()
    factory.turn()
    assert kept(store, "rollup_minute") == recount(factory.committed, MINUTE)
    assert kept(store, "rollup_hour") == recount(factory.committed, HOUR)
    assert store.row("SELECT count(*) AS n FROM touched")["n"] == 0
