"""A batch that the database itself refuses stops nothing: not its neighbours, not the process, not a replay."""

import random
import string
import threading

import numpy as np
import psycopg
import pytest
from ingest_world import STORE, Process, Sender, add_device, count, mark_of, now_us, reasons

from cloud_hub.errors import UnreachableError
from cloud_hub.ingest import replays
from cloud_hub.ingest.attempts import Attempts, StoppedError, passes
from cloud_hub.ingest.batches import Batches
from cloud_hub.ingest.collector import MOST_BYTES, Collector, Group
from cloud_hub.ingest.desk import Desk
from cloud_hub.ingest.reading import Arrival, Reading, read
from cloud_hub.store import quarantine
from cloud_hub.store.database import Database
from wire.batch import AlarmEvent, BatchClass, ReportEvent, Rows
from wire.clock import Clock

# PostgreSQL keeps no index entry of this length; nothing before the database looks at it.
UNINDEXABLE = "".join(random.Random(1).choices(string.ascii_letters, k=9000))


class Broker:
    """What ``Batches`` asks of a consumer, and what a desk asks of a publisher."""

    def __init__(self) -> None:
        self.acknowledged: list[Arrival] = []

    def acknowledge(self, arrivals: list[Arrival]) -> None:
        self.acknowledged += arrivals

    def publish(self, topic: object, payload: bytes, *, qos: int) -> None: ...


@pytest.fixture
def process(store: Database) -> Process:
    return Process(store)


@pytest.fixture
def sender(store: Database, process: Process) -> Sender:
    add_device(store, "press-01")
    made = Sender()
    process.born(made)
    return made


@pytest.fixture
def desk(store: Database) -> Desk:
    made = Desk(store, Broker(), STORE, Clock.real())
    made.ensure_partitions()
    return made


def alarm(sender: Sender, use_case: str):
    event = AlarmEvent(
        time_us=now_us(), machine=0, use_case=use_case, release="r", state="opened", severity=0.5,
        message="hot", opened_us=now_us(),
    )  # fmt: skip
    return sender.batch(BatchClass.ALARM, events=(event,))


def test_what_the_database_cannot_keep_goes_to_quarantine_alone_and_its_neighbours_are_stored(
    store: Database, desk: Desk, sender: Sender
) -> None:
    broker = Broker()
    report = ReportEvent(
        time_us=now_us(), use_case=UNINDEXABLE, directive_sequence=1, state="idle", event="x"
    )
    messages = [
        sender.samples([1.0]),
        alarm(sender, UNINDEXABLE),
        alarm(sender, "motor-health"),
        sender.batch(BatchClass.ALARM, events=(report,)),
        sender.samples([2.0]),
    ]
    readings = [read(sender.arrival(message)) for message in messages]
    Batches(desk, broker).store(readings)
    desk.pay_marks(at_once=True)
    assert reasons(store) == {"Unstorable": 2}
    assert (count(store, "sample"), count(store, "alarm"), mark_of(store)) == (2, 1, 5)
    assert len(broker.acknowledged) == 5


OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
)


def test_a_server_that_takes_nothing_for_now_is_waited_for_and_no_batch_pays_for_it(
    store: Database, desk: Desk, sender: Sender
) -> None:
    """As after a failover, before the standby is promoted."""
    reading = read(sender.arrival(sender.samples([1.0])))
    with store.connect() as admin:
        (name,) = admin.execute("SELECT current_database() AS name").fetchone().values()
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        admin.execute(OTHERS, [admin.info.backend_pid])
        thread = threading.Thread(target=Batches(desk, Broker()).store, args=([reading],))
        thread.start()
        thread.join(1.0)
        assert thread.is_alive()
        admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        admin.execute(OTHERS, [admin.info.backend_pid])
        thread.join(20.0)
    assert (count(store, "sample"), reasons(store)) == (1, {})


@pytest.mark.parametrize(
    ("error", "later"),
    [
        (psycopg.errors.DiskFull(), True),
        (psycopg.errors.ReadOnlySqlTransaction(), True),
        (psycopg.errors.InsufficientPrivilege(), True),
        (psycopg.errors.UndefinedTable(), True),
        (psycopg.errors.QueryCanceled(), True),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.errors.DeadlockDetected(), True),
        (psycopg.OperationalError("the connection is lost"), True),
        (UnreachableError("away"), True),
        (psycopg.errors.ProgramLimitExceeded(), False),
        (psycopg.errors.StatementTooComplex(), False),
        (psycopg.errors.NumericValueOutOfRange(), False),
        (psycopg.errors.CheckViolation(), False),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL"), False),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), False),
    ],
)
def test_trouble_of_the_server_is_told_from_values_it_refuses(error: Exception, later: bool) -> None:
    assert passes(error) is later


def test_being_told_to_stop_ends_the_waiting(store: Database) -> None:
    stopping = threading.Event()
    stopping.set()

    def work(connection: object) -> None:
        raise UnreachableError("away")

    with pytest.raises(StoppedError):
        Attempts(store, stopping, lambda: None).run(work)


# ---------------------------------------------------------------- out of quarantine again


def asked(process: Process) -> replays.Replayed:
    with process.database.transaction() as connection:
        return replays.replay_next(connection, process.tables, process.times())


def test_a_replay_that_the_database_refuses_again_is_answered_and_stops_nothing(
    store: Database, desk: Desk, process: Process, sender: Sender
) -> None:
    Batches(desk, Broker()).store([read(sender.arrival(alarm(sender, UNINDEXABLE)))])
    (kept,) = quarantine.quarantined(store)
    quarantine.ask_replay(store, kept.id, now=Clock.real().now())
    assert asked(process).rows == 1
    found, _ = quarantine.show(store, kept.id)
    assert (found.settled, found.replay, found.reason) == (None, None, "Unstorable")
    assert "ProgramLimitExceeded" in found.detail
    assert asked(process).rows == 0


def test_one_that_waited_for_its_table_and_is_refused_holds_up_no_other(
    store: Database, process: Process
) -> None:
    add_device(store, "press-01")
    sender = Sender()
    messages = [sender.samples([float(n)]) for n in range(12)]
    messages[5:5] = [alarm(sender, UNINDEXABLE)]
    process.take(*(sender.arrival(message) for message in messages))
    process.born(sender)
    with store.transaction() as connection:
        replays.decode_waiting(connection, 1, sender.table.hash, process.tables, process.times())
    assert (count(store, "sample"), reasons(store)) == (12, {"Unstorable": 1})


def test_a_stranger_that_is_still_one_stays_where_it_is(store: Database, process: Process) -> None:
    sender = Sender()
    process.store(sender.arrival(sender.samples([1.0])))
    (kept,) = quarantine.quarantined(store)
    add_device(store, "press-01", enrolled=False)
    quarantine.ask_replay(store, kept.id, now=Clock.real().now())
    asked(process)
    (still,) = quarantine.quarantined(store)
    assert (still.id, still.reason, still.settled) == (kept.id, "UnknownDevice", None)
    store.execute("UPDATE device SET enrolled = added")
    process.born(sender)
    quarantine.ask_replay(store, kept.id, now=Clock.real().now())
    process.settle(asked(process).told)
    assert (count(store, "sample"), mark_of(store), reasons(store)) == (1, 1, {})


# ---------------------------------------------------------------- memory


def test_a_group_is_bounded_in_memory_however_little_was_sent(sender: Sender) -> None:
    """Thousands of empty blocks, or wide rows of zeros, take hundreds of bytes on the wire."""
    wide = sender.batch(BatchClass.SAMPLE, series=tuple(sender.samples([]).series * 30_000))
    arrival = sender.arrival(wide)
    assert len(arrival.payload) < 10_000
    waiting = [arrival] * 60
    collector = Collector(lambda timeout: waiting.pop() if waiting else None)
    collector.start()
    groups: list[Group] = []
    while len(groups) < 5 and isinstance(group := collector.next(5.0), Group):
        groups.append(group)
    collector.stop()
    one = groups[0].readings[0].bytes
    assert one > 10_000_000
    assert max(sum(reading.bytes for reading in group.readings) for group in groups) < MOST_BYTES + one


def test_a_decoder_that_fails_in_an_unknown_way_costs_one_message(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(payload: bytes) -> None:
        raise RecursionError("deeper than anyone thought")

    message = sender.arrival(sender.samples([1.0]))
    monkeypatch.setattr("cloud_hub.ingest.reading.decode", broken)
    found: Reading = read(message)
    assert (found.reason, found.header is not None, found.batch) == ("Unstorable", True, None)


def test_a_message_of_tens_of_thousands_of_bad_parts_is_kept_as_few_and_costs_no_other_its_turn(
    store: Database, process: Process, sender: Sender
) -> None:
    nothing, none = np.empty(0, np.int64), np.empty((0, 1), np.float32)
    blocks = (Rows(machine=0, source="other/1", times=nothing, values=none),) * 40_000
    series = sender.samples([np.nan], sequence=1).series * 20_000
    process.take(
        sender.arrival(sender.batch(BatchClass.FEATURE, rows=blocks)),
        sender.arrival(sender.batch(series=series)),
        sender.arrival(sender.samples([1.0])),
    )
    assert reasons(store) == {"WrongFeatureSet": 1, "NotFinite": 1}
    assert (count(store, "sample"), mark_of(store)) == (1, 3)
    told = {item.reason: item.detail for item in quarantine.quarantined(store)}
    assert "and 39999 more" in told["WrongFeatureSet"]
    assert "and 19999 more" in told["NotFinite"]
