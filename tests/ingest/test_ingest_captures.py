"""Captures at the hub's door: kept bit by bit and once, refused one by one, asked for and answered."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from ingest_world import Process, Sender, add_device, count, now_us, reasons

from cloud_hub.config import StoreSettings
from cloud_hub.errors import NotFoundError
from cloud_hub.ingest.captures import publish_asked
from cloud_hub.ingest.replays import replay_next
from cloud_hub.store import captures, quarantine
from cloud_hub.store.database import Database
from wire.batch import LONGEST_CAPTURE, Batch, BatchClass, Capture, Series, Why
from wire.clock import Clock, to_datetime
from wire.messages import Command
from wire.table import Machine, Signal, SignalKind, SignalTable
from wire.topics import Topic

RATE_HZ = 12_800.0
X, Y, SCALAR, OTHER_X = 0, 1, 2, 3
WAVE = {"kind": SignalKind.WAVEFORM, "unit": "m/s2", "rate_hz": RATE_HZ}
TABLE = SignalTable(
    machines=(
        Machine(name="pump-1", machine_class="pump"),
        Machine(name="pump-2", machine_class="pump"),
    ),
    signals=(
        Signal(id=X, machine=0, name="vibration_x", **WAVE),
        Signal(id=Y, machine=0, name="vibration_y", **WAVE),
        Signal(id=SCALAR, machine=0, name="speed", unit="1/min"),
        Signal(id=OTHER_X, machine=1, name="vibration_x", **WAVE),
    ),
)
TIME_US = now_us() - 3_600_000_000


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=3) as opened:
        yield opened


@pytest.fixture
def process(store: Database) -> Process:
    return Process(store)


@pytest.fixture
def sender(store: Database, process: Process) -> Sender:
    add_device(store, "press-01")
    made = Sender(table=TABLE)
    process.born(made)
    return made


def wave(seed: int = 0, length: int = 512) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def capture(signal: int = X, **fields: object) -> Capture:
    told = {"time_us": TIME_US, "rate_hz": RATE_HZ, "values": wave(signal), "why": Why.ALARM}
    return Capture(signal=signal, **(told | fields))


def sent(sender: Sender, *found: Capture, **parts: object) -> Batch:
    return sender.batch(BatchClass.WAVEFORM, captures=found, **parts)


def asked(store: Database, machine: str, command: str, *, hours_ago: float = 0.0) -> None:
    store.execute(
        """INSERT INTO capture_request (machine, id, asked, asked_by)
           SELECT id, %(id)s, %(asked)s, 'mira' FROM machine WHERE name = %(machine)s""",
        {"id": command, "asked": Clock.real().now() - timedelta(hours=hours_ago), "machine": machine},
    )


def test_every_bit_of_a_capture_is_kept_under_its_machine_and_moment(
    store: Database, process: Process, sender: Sender
) -> None:
    outcome = process.take(
        sender.arrival(sent(sender, capture(X))),
        sender.arrival(sent(sender, capture(Y), capture(OTHER_X, why=Why.ROUTINE))),
    )
    assert (outcome.captures, outcome.samples, reasons(store)) == (3, 0, {})
    (found,), total = captures.taken(store, "pump-1", most=10)
    assert (found.time, found.whys, found.signals, total) == (
        to_datetime(TIME_US), ("alarm",), ("vibration_x", "vibration_y"), 1,
    )  # fmt: skip
    assert found.seconds == pytest.approx(512 / RATE_HZ)
    assert captures.one(store, "pump-1", found.time) == found
    kept = captures.window(store, "pump-1", found.time, "vibration_y")
    assert kept.values.tobytes() == wave(Y).tobytes()
    assert (kept.unit, kept.rate_hz) == ("m/s2", RATE_HZ)
    row = store.row("SELECT epoch, sequence FROM capture WHERE why = 'routine'")
    assert (row["epoch"] % 2**64, row["sequence"]) == (sender.epoch, 2)
    with pytest.raises(NotFoundError):
        captures.window(store, "pump-2", found.time, "vibration_y")


def test_a_batch_that_comes_twice_is_kept_once(store: Database, process: Process, sender: Sender) -> None:
    arrival = sender.arrival(sent(sender, capture()))
    process.take(arrival, arrival)
    process.take(arrival)
    assert count(store, "capture") == 1


WRONG = {
    "unknown signal": (capture(9), "UnknownSignal", "below 4, got 9"),
    "scalar": (capture(SCALAR), "WrongKind", "declared a scalar"),
    "nan": (capture(values=np.array([1, np.nan, np.inf], np.float32)), "NotFinite", "2 of 3 values"),
    "rate": (capture(rate_hz=RATE_HZ / 2), "WrongRate", "expected 12800 Hz as declared, got 6400 Hz"),
    "nan rate": (capture(rate_hz=float("nan")), "WrongRate", "got nan Hz"),
    "empty": (capture(values=wave()[:0]), "WrongLength", "got 0"),
    "oversize": (capture(values=wave(0, LONGEST_CAPTURE + 1)), "WrongLength", "1 to 65536 values, got 65537"),
    "from the future": (capture(time_us=now_us() + 10**12), "FromTheFuture", "signal 0"),
    "before 1970": (capture(time_us=-(2**63)), "TooLate", "from 1970"),
    "another reason": (capture(why="whim\0"), "BadCapture", "expected one of alarm, asked, routine"),
    "no command": (capture(command="c\0"), "BadCapture", "no command"),
}


def test_what_is_wrong_with_a_capture_costs_its_neighbours_nothing(
    store: Database, process: Process, sender: Sender
) -> None:
    series = Series(signal=SCALAR, times=np.array([TIME_US]), values=np.array([1.5]))
    for number, (kind, (wrong, reason, detail)) in enumerate(WRONG.items(), start=1):
        both = (capture(Y), wrong, capture(OTHER_X))
        outcome = process.take(sender.arrival(sent(sender, *both, series=(series,))))
        assert (count(store, "capture"), count(store, "sample")) == (2 * number, number), kind
        assert outcome.rejected == {("press-01", reason): 1}, kind
        found = quarantine.quarantined(store)[0]
        assert detail in found.detail, kind
        assert not found.explanation.startswith("Refused as"), "each reason has an explanation"
        _, contents = quarantine.show(store, found.id)
        assert contents is not None
        assert (contents.batch_class, contents.captures, contents.samples) == ("waveform", 1, 0), kind
    assert count(store, "quarantine") == len(WRONG)


def test_a_capture_is_kept_however_long_its_device_was_away(
    store: Database, process: Process, sender: Sender
) -> None:
    process.take(sender.arrival(sent(sender, capture(time_us=now_us() - 40 * 86_400_000_000))))
    assert (count(store, "capture"), reasons(store)) == (1, {})


def test_what_a_hub_from_before_put_aside_is_stored_when_it_is_asked_to(
    store: Database, process: Process, sender: Sender
) -> None:
    """That hub quarantined such batches whole, as of a class that it did not store, and settled them by it."""
    process.take(sender.arrival(sent(sender, capture(why="later"))))
    store.execute("UPDATE quarantine SET reason = 'UnsupportedClass'")
    told = (capture(X), capture(Y), capture(OTHER_X, why="later"))
    good = sender.arrival(sent(sender, *told, sequence=1)).payload
    store.execute(
        "UPDATE quarantine SET payload = %(payload)s, bytes = %(n)s", {"payload": good, "n": len(good)}
    )
    (waiting,) = quarantine.quarantined(store)
    quarantine.ask_replay(store, waiting.id, now=Clock.real().now())
    with store.transaction() as connection:
        replay_next(connection, process.tables, process.times())
    assert (count(store, "capture"), reasons(store)) == (2, {"BadCapture": 1})


def test_a_capture_answers_the_request_of_its_own_machine_alone(
    store: Database, process: Process, sender: Sender
) -> None:
    asked(store, "pump-1", "waveform-1")
    asked(store, "pump-2", "waveform-2")
    process.take(sender.arrival(sent(sender, capture(X, command="waveform-2"))))
    assert captures.request(store, "pump-2").answered is None, (
        "what pump-2 was asked is not pump-1's to answer"
    )
    assert captures.request(store, "pump-1").answered is None, "and pump-1 was asked something else"
    answer = capture(X, command="waveform-1", why=Why.ASKED)
    process.take(sender.arrival(sent(sender, answer, replace(answer, signal=Y))))
    found = captures.request(store, "pump-1")
    assert found.answered is not None
    assert captures.request(store, "pump-2").answered is None
    process.take(sender.arrival(sent(sender, replace(answer, time_us=TIME_US + 1))))
    assert captures.request(store, "pump-1") == found, "the first answer stands"


class Heard:
    def __init__(self) -> None:
        self.told: list[tuple[str, Command]] = []

    def publish(self, topic: Topic, payload: bytes, *, qos: int) -> None:
        self.told.append((str(topic), Command.from_json(payload)))


def test_what_was_not_answered_is_said_again_for_a_day(
    store: Database, process: Process, sender: Sender
) -> None:
    asked(store, "pump-1", "waveform-1", hours_ago=23)
    asked(store, "pump-2", "waveform-2", hours_ago=25)
    heard, now = Heard(), Clock.real().now()
    with store.connect() as connection:
        assert publish_asked(connection, heard, now, ["press-02"]) == 0
        assert (
            publish_asked(connection, heard, now, ["press-01"]) == publish_asked(connection, heard, now) == 1
        )
    (topic, command), _ = heard.told
    assert topic == "andon/v1/press-01/command"
    assert (command.kind, command.id, command.arguments) == ("waveform", "waveform-1", {"machine": "pump-1"})
    process.take(sender.arrival(sent(sender, capture(command="waveform-1"))))
    with store.connect() as connection:
        assert publish_asked(connection, heard, now) == 0


def keep(
    store: Database, moments: int, *, why: str = "routine", machine: str = "pump-1", hours_ago: float = 0.0
) -> None:
    """So many captures of two signals, a minute apart, the newest so long ago."""
    store.execute(
        """INSERT INTO capture (machine, signal, time, rate_hz, why, device, epoch, sequence, received, values)
           SELECT machine.id, signal.id, %(now)s - n * interval '1 minute', 12800, %(why)s, machine.device, 1, n,
                  %(now)s, '\\x00000000'
             FROM machine JOIN signal ON signal.machine = machine.id AND kind = 'waveform'
            CROSS JOIN generate_series(0, %(moments)s - 1) AS n WHERE machine.name = %(machine)s""",
        {
            "now": Clock.real().now() - timedelta(hours=hours_ago),
            "why": why,
            "moments": moments,
            "machine": machine,
        },
    )


def tidied(store: Database, **settings: float) -> int:
    with store.connect() as connection:
        return captures.tidy(connection, StoreSettings(**settings), Clock.real())


def test_the_newest_of_each_machine_and_reason_stay_and_nothing_old_does(
    store: Database, sender: Sender
) -> None:
    keep(store, 9)
    keep(store, 2, why="alarm", hours_ago=1)
    keep(store, 7, machine="pump-2")
    assert tidied(store, captures_each=4) == 5 * 2 + 3
    assert captures.taken(store, "pump-1", most=99)[1] == 4 + 2
    rows = store.rows(
        "SELECT why, machine, count(DISTINCT time) AS n FROM capture GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [(row["why"], row["n"]) for row in rows] == [("alarm", 2), ("routine", 4), ("routine", 4)]
    assert tidied(store, captures_each=4) == 0
    assert tidied(store, captures_each=4, capture_days=2.5 / 1440) == 2 + 1 + 2 * 2


def test_one_turn_of_upkeep_deletes_no_more_than_it_may(
    store: Database, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, 20)
    monkeypatch.setattr(captures, "MOST_DELETED", 7)
    turns = [tidied(store, captures_each=10) for _ in range(4)]
    assert turns == [7, 7, 6, 0]
