"""Batches into the store: once, whole, and no bad part costs its neighbours."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from ingest_world import Process, Sender, add_device, count, mark_of, now_us, reasons, table_of

from cloud_hub.ingest.births import MachineTakenError
from cloud_hub.store import charts, facts, fleet
from cloud_hub.store.database import Database
from wire.batch import AlarmEvent, BatchClass, GapEvent, ReportEvent, Rows, Series
from wire.clock import Clock, to_datetime
from wire.codec import encode
from wire.messages import EpochFloor, UseCaseState
from wire.table import Signal

HOUR_US = 3_600_000_000


@pytest.fixture
def store(database: str) -> Iterator[Database]:
    with Database(database, most=4) as opened:
        yield opened


@pytest.fixture
def process(store: Database) -> Process:
    add_device(store, "press-01")
    return Process(store)


@pytest.fixture
def sender(process: Process) -> Sender:
    born = Sender()
    process.born(born)
    return born


def make_release(store: Database, release: str) -> None:
    use_case, version = release.split("/")
    now = {"now": Clock.real().now(), "release": release, "use_case": use_case, "version": int(version)}
    store.execute(
        "INSERT INTO run (id, use_case, state, correlation, created) VALUES (%(release)s, %(use_case)s, 'done', '', %(now)s)",
        now,
    )
    store.execute(
        "INSERT INTO model (use_case, version, release, run, state, onnx_path, onnx_sha256, manifest, gate, created)"
        " VALUES (%(use_case)s, %(version)s, %(release)s, %(release)s, 'released', '', '', %(manifest)s, '{}', %(now)s)",
        now | {"manifest": '{"outputs": [{"name": "remaining_life"}, {"name": "anomaly"}], "interval": {}}'},
    )


def test_values_come_back_as_they_were_sent(store: Database, process: Process, sender: Sender) -> None:
    values = [0.1, -1e300, 5e-324, 0.0, 2**53 + 1.0]
    start = now_us() - 50_000_000
    process.take(sender.arrival(sender.samples(values, start=start)))
    rows = store.rows("SELECT time, value FROM sample ORDER BY time")
    assert [row["value"] for row in rows] == values
    assert [row["time"] for row in rows] == [to_datetime(start + 1000 * i) for i in range(5)]
    latest = {signal.name: signal.value for signal in fleet.signals(store, "pump-1")}
    assert latest == {"temperature": 2**53 + 1.0, "pressure": None, "vibration_x": None}
    assert count(store, "touched") >= 1


def test_features_and_predictions_keep_their_arrays(
    store: Database, process: Process, sender: Sender
) -> None:
    make_release(store, "motor-health/3")
    times = now_us() - np.arange(3)[::-1] * 1_000_000
    wide = np.arange(12, dtype=np.float32).reshape(3, 4) / 3
    features = sender.batch(
        BatchClass.FEATURE, rows=(Rows(machine=0, source="trend/1", times=times, values=wide),)
    )
    outcome = np.array([[90, 70, 120, 0.25]] * 3, np.float32)
    predictions = sender.batch(
        BatchClass.PREDICTION, rows=(Rows(machine=0, source="motor-health/3", times=times, values=outcome),)
    )
    process.take(sender.arrival(features), sender.arrival(predictions))
    rows = store.rows("SELECT * FROM feature ORDER BY time")
    np.testing.assert_array_equal(np.array([row["values"] for row in rows], np.float32), wide)
    assert {(row["feature_set"], row["sequence"], row["epoch"] % 2**64) for row in rows} == {
        ("trend/1", 1, sender.epoch)
    }
    stored = store.rows("SELECT release, values FROM prediction")
    assert [row["release"] for row in stored] == ["motor-health/3"] * 3
    outlook = fleet.machine(store, "pump-1").outlook
    assert (outlook.release, outlook.remaining_life, outlook.lower, outlook.upper, outlook.anomaly) == (
        "motor-health/3",
        90,
        70,
        120,
        0.25,
    )
    day = to_datetime(now_us() - HOUR_US), to_datetime(now_us() + HOUR_US)
    assert charts.predictions(store, "pump-1", "motor-health", *day).lower == (70, 70, 70)
    chart = charts.features(store, "pump-1", feature_set="trend/1", column=3, start=day[0], end=day[1])
    np.testing.assert_array_equal(np.array(chart.low, np.float32), wide[:, 3])


def test_a_batch_that_comes_again_counts_once(store: Database, process: Process, sender: Sender) -> None:
    message = sender.arrival(sender.samples([1, 2, 3]))
    process.take(message, message)
    other = Process(store)
    other.take(message)
    other.take(message)
    assert count(store, "sample") == 3
    assert mark_of(store) == 1
    assert facts.facts(store).resent == {"press-01": 3}


def test_other_bytes_under_the_same_sequence_are_kept_apart(
    store: Database, process: Process, sender: Sender
) -> None:
    process.store(sender.arrival(sender.samples([1, 2, 3])))
    clone = sender.arrival(sender.samples([4, 5], sequence=1))
    process.store(clone)
    process.store(clone)
    assert count(store, "sample") == 3
    assert reasons(store) == {"SequenceReused": 1}
    assert fleet.device(store, "press-01").rejected == 2


def bad_series(kind: str) -> Series:
    now, ones = now_us(), np.ones(2)
    times = now - np.array([2000, 1000])
    return {
        "UnknownSignal": Series(signal=99, times=times, values=ones),
        "WrongKind": Series(signal=2, times=times, values=ones),
        "NotFinite": Series(signal=1, times=times, values=np.array([1.0, np.nan])),
        "TooLate": Series(signal=1, times=times - 8 * 24 * HOUR_US, values=ones),
        "FromTheFuture": Series(signal=1, times=np.array([now, 2_150_000_000_000_000]), values=ones),  # 2038
    }[kind]


@pytest.mark.parametrize("kind", ["UnknownSignal", "WrongKind", "NotFinite", "TooLate", "FromTheFuture"])
def test_a_bad_series_costs_its_neighbours_nothing(
    store: Database, process: Process, sender: Sender, kind: str
) -> None:
    good = sender.samples([1.0, 2.0, 3.0]).series[0]
    process.take(sender.arrival(sender.batch(sequence=1, series=(bad_series(kind), good))))
    assert count(store, "sample") == 3
    assert reasons(store) == {kind: 1}
    assert mark_of(store) == 1
    assert fleet.device(store, "press-01").rejected == 1


def test_bad_rows_are_left_out_and_good_ones_kept(store: Database, process: Process, sender: Sender) -> None:
    times = now_us() - np.arange(4) * 1000
    values = np.ones((4, 3), np.float32)
    values[1, 2] = np.inf
    rows = [
        Rows(machine=0, source="trend/1", times=times, values=values),
        Rows(machine=0, source="trend/2", times=times, values=values),
        Rows(machine=7, source="trend/1", times=times, values=values),
        Rows(machine=0, source="trend/1", times=times, values=np.ones((4, 5), np.float32)),
    ]
    process.take(sender.arrival(sender.batch(BatchClass.FEATURE, rows=tuple(rows))))
    assert count(store, "feature") == 3
    assert reasons(store) == {"NotFinite": 1, "WrongFeatureSet": 1, "UnknownMachine": 1, "WrongWidth": 1}


def test_a_prediction_of_an_unknown_release_is_refused(
    store: Database, process: Process, sender: Sender
) -> None:
    rows = Rows(
        machine=0, source="motor-health/9", times=np.array([now_us()]), values=np.ones((1, 4), np.float32)
    )
    process.take(sender.arrival(sender.batch(BatchClass.PREDICTION, rows=(rows,))))
    assert (count(store, "prediction"), reasons(store)) == (0, {"UnknownRelease": 1})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda payload: b"nonsense", "NotABatch"),
        (lambda payload: payload[:20], "Truncated"),
        (lambda payload: b"", "NotABatch"),
    ],
)
def test_poison_is_kept_once_and_blocks_nobody(
    store: Database, process: Process, sender: Sender, damage, reason: str
) -> None:
    poison = sender.arrival(damage(encode(sender.samples([1.0] * 50, sequence=9))))
    for _ in range(3):
        process.take(poison, sender.arrival(sender.samples([1.0])))
    assert reasons(store) == {reason: 1}
    assert store.row("SELECT times FROM quarantine")["times"] == 3
    assert count(store, "sample") == 3
    assert fleet.device(store, "press-01").rejected == 3


@pytest.mark.parametrize(
    ("name", "how", "reason"),
    [
        ("ghost", None, "UnknownDevice"),
        ("press-02", {"enrolled": False}, "NotEnrolled"),
        ("press-03", {"retired": True}, "RetiredDevice"),
    ],
)
def test_a_device_not_in_service_gets_nothing_stored_and_no_mark(
    store: Database, process: Process, name: str, how: dict[str, bool] | None, reason: str
) -> None:
    if how is not None:
        add_device(store, name, **how)
    stranger = Sender(name=name)
    outcome = process.store(stranger.arrival(stranger.samples([1.0])))
    assert not outcome.told
    assert (count(store, "sample"), count(store, "mark"), reasons(store)) == (0, 0, {reason: 1})


def test_a_batch_before_its_signal_table_waits_and_is_then_stored(store: Database, process: Process) -> None:
    early = Sender()
    message = early.arrival(early.samples([1.0, 2.0]))
    outcome = process.take(message)
    assert outcome.rebirths == {"press-01"}
    assert (count(store, "sample"), mark_of(store), reasons(store)) == (0, 1, {"UnknownTable": 1})
    process.take(message)
    process.born(early)
    process.born(early)
    process.take(message)
    assert (count(store, "sample"), reasons(store)) == (2, {})


def test_a_machine_of_another_device_is_refused_by_name(
    store: Database, process: Process, sender: Sender
) -> None:
    add_device(store, "press-02")
    thief = Sender(name="press-02")
    with pytest.raises(MachineTakenError, match="machine 'pump-1' belongs to press-01"):
        process.born(thief)
    store.execute("UPDATE device SET retired = added WHERE name = 'press-01'")
    process.born(thief)
    assert fleet.machine(store, "pump-1").device == "press-02"


def test_a_changed_unit_is_a_new_signal(store: Database, process: Process, sender: Sender) -> None:
    changed = table_of("pump-1")
    signals = (replace(changed.signals[0], unit="K"), *changed.signals[1:])
    process.born(replace(sender, table=replace(changed, signals=signals)))
    assert [(s.name, s.unit) for s in fleet.signals(store, "pump-1")].count(("temperature", "Cel")) == 1
    assert len(fleet.signals(store, "pump-1")) == 4
    assert isinstance(signals[0], Signal)


def test_alarms_close_whichever_message_comes_first(
    store: Database, process: Process, sender: Sender
) -> None:
    opened = now_us() - 10_000_000

    def event(state: str, after: int) -> AlarmEvent:
        return AlarmEvent(
            time_us=opened + after, machine=0, use_case="motor-health", release="motor-health/3",
            state=state, severity=0.5, message=state, opened_us=opened,
        )  # fmt: skip

    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(event("closed", 5_000_000),))))
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(event("opened", 0),))))
    (alarm,) = fleet.alarms(store, "pump-1")
    assert (alarm.opened, alarm.closed, alarm.message) == (
        to_datetime(opened),
        to_datetime(opened + 5_000_000),
        "opened",
    )


def test_an_event_that_cannot_be_kept_is_refused_alone(
    store: Database, process: Process, sender: Sender
) -> None:
    good = ReportEvent(
        time_us=now_us(), use_case="motor-health", directive_sequence=7, state="probation", event="installed",
        release="motor-health/3", evidence={"p99_ms": 1.5},
    )  # fmt: skip
    bad = [
        replace(good, reason="nul \0 in it"),
        replace(good, evidence={"x": "\0"}),
        replace(good, evidence={"x": float("nan")}),
        replace(good, directive_sequence=2**64 - 1),
        replace(good, time_us=2_150_000_000_000_000),
    ]
    for event in bad:
        process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(event,))))
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(*bad, good))))
    assert (count(store, "report"), reasons(store)) == (1, {"BadEvent": 6}), "together they are kept as one"
    (running,) = fleet.device(store, "press-01").releases
    assert (running.release, running.accepted_sequence, running.state) == ("motor-health/3", 7, "probation")


def test_a_gap_in_time_is_shown_on_its_machine(store: Database, process: Process, sender: Sender) -> None:
    gap = GapEvent(
        time_us=now_us(), reason="agent-down", machine=0, from_us=now_us() - HOUR_US, to_us=now_us()
    )
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(gap,))))
    (shown,) = fleet.gaps(store, machine="pump-1")
    assert (shown.reason, shown.machine, shown.epoch) == ("agent-down", "pump-1", None)


def test_what_the_floor_left_behind_becomes_a_gap_with_the_devices_reason(
    store: Database, process: Process, sender: Sender
) -> None:
    process.take(sender.arrival(sender.samples([1.0])))  # 1
    dropped = GapEvent(
        time_us=now_us(), reason="disk-full", epoch=sender.epoch, first_sequence=2, last_sequence=4
    )
    sender.floor, sender.sequence = 7, 6
    process.take(sender.arrival(sender.samples([1.0])))  # 7
    assert mark_of(store) == 7
    assert facts.facts(store).missing == {"lost-at-hub": 5}
    process.take(sender.arrival(sender.batch(BatchClass.ALARM, events=(replace(dropped, last_sequence=6),))))
    assert facts.facts(store).missing == {"disk-full": 5}
    assert mark_of(store) == 8


def test_a_batch_that_arrives_inside_a_gap_is_stored_and_the_gap_shortened(
    store: Database, process: Process, sender: Sender
) -> None:
    sender.floor, sender.sequence = 6, 5
    process.take(sender.arrival(sender.samples([1.0])))
    straggler = sender.arrival(sender.samples([2.0, 3.0], sequence=3))
    process.take(straggler)
    process.take(straggler)
    rows = store.rows("SELECT first_sequence AS a, last_sequence AS b FROM gap ORDER BY 1")
    assert [(row["a"], row["b"]) for row in rows] == [(1, 2), (4, 5)]
    assert (count(store, "sample"), mark_of(store)) == (3, 6)


def test_a_birth_settles_what_an_old_epoch_no_longer_holds(
    store: Database, process: Process, sender: Sender
) -> None:
    sender.sequence = 2
    process.take(sender.arrival(sender.samples([1.0])))  # 3: 1 and 2 are under way
    assert mark_of(store) == 0
    state = UseCaseState(use_case="motor-health", accepted_sequence=4, release="motor-health/3")
    process.born(sender, sender.birth(epochs=(EpochFloor(epoch=77, floor=1, next=1),), use_cases=(state,)))
    assert store.row("SELECT mark FROM mark WHERE highest > 0")["mark"] == 3
    sequences = [gap.reason for gap in fleet.gaps(store, device="press-01") if gap.epoch is not None]
    assert sequences == ["lost-at-hub"]
    assert facts.facts(store).missing == {"lost-at-hub": 2}
    assert fleet.device(store, "press-01").releases[0].release == "motor-health/3"


def test_two_devices_with_one_name_become_an_incident(
    store: Database, process: Process, sender: Sender
) -> None:
    def says(*epochs: int) -> None:
        process.born(
            sender, sender.birth(epochs=tuple(EpochFloor(epoch=each, floor=1, next=1) for each in epochs))
        )

    says(1)
    says(1, 2)  # a restart
    says(1, 2)  # a reconnection
    assert fleet.incidents(store) == []
    says(1, 3)  # a clone of the card
    says(1, 2)  # and the first one again
    says(1, 3)
    (incident,) = fleet.incidents(store)
    assert (incident.kind, incident.device) == ("two-devices-one-name", "press-01")


def test_what_a_restored_database_forgot_becomes_a_gap(
    store: Database, process: Process, sender: Sender
) -> None:
    process.born(sender, sender.birth(epochs=(EpochFloor(epoch=sender.epoch, floor=5, next=5),)))
    assert facts.facts(store).missing == {"lost-at-hub": 4}
    assert mark_of(store) == 4
