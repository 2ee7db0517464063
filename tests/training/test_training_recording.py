"""Recordings as examples: the device's own features, labels by rule, and nothing made of half a stream."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloud_hub.errors import DatasetError
from cloud_hub.store.labels import NewLabel
from cloud_hub.training.bench_recording import examples, label_lines, record
from cloud_hub.training.recording import MachineRows, read_recording
from kernels import sets
from models.examples import FAULTY, SOUND, UNKNOWN
from models.use_case import UseCase
from wire.clock import to_datetime
from wire.feed import End, Frame, Hello, Open, Reading, Window, to_bytes
from wire.table import Bearing, Machine, Signal, SignalKind, SignalTable

HOUR_US = 3_600_000_000
DECLARED = """
title = "Pumps"
machine_class = "loop"
feature_set = "trend/1"
task = "remaining-life"
signals = [{ name = "flow", unit = "L/min" }]
life = { measured_in = "time", unit = "h", cap = 100.0 }
faults = { classes = ["outer race", "ball"], window = 2.0 }
costs = { currency = "EUR", failure = 9.0, planned = 3.0, false_alarm = 1.0 }
"""
RATE_HZ = 12_800.0
TABLE = SignalTable(
    machines=(
        Machine(name="pump-2", machine_class="motor-pump", feature_set="vibration-trend/1"),
        Machine(name="loop-1", machine_class="loop", feature_set="trend/1"),
    ),
    signals=(
        Signal(id=0, machine=0, name="speed", unit="1/min"),
        Signal(id=1, machine=0, name="vibration", unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=RATE_HZ),
        Signal(id=2, machine=1, name="flow", unit="L/min"),
    ),
)


def frames(table: SignalTable = TABLE) -> list[Frame]:
    rng = np.random.default_rng(7)
    readings: list[Frame] = []
    for hour in range(6):
        wave = Window(signal=1, rate_hz=RATE_HZ, values=rng.normal(size=256).astype(np.float32))
        windows = (wave,) if hour % 2 == 0 else ()
        time_us = (hour + 1) * HOUR_US
        readings.append(
            Reading(
                position=2 * hour + 1,
                machine=0,
                time_us=time_us,
                signals=(0,),
                values=(1500.0 + hour,),
                windows=windows,
            )
        )
        readings.append(
            Reading(position=2 * hour + 2, machine=1, time_us=time_us, signals=(2,), values=(hour / 2,))
        )
    return [
        Open(source="sim-1", position=0),
        Hello(table=table, replayable=True),
        *readings,
        End(position=12),
    ]


def stream(table: SignalTable = TABLE) -> bytes:
    return b"".join(map(to_bytes, frames(table)))


def with_bearing(**geometry: float) -> SignalTable:
    pump, loop = TABLE.machines
    return replace(TABLE, machines=(replace(pump, bearing=Bearing(**geometry)), loop))


def test_rows_are_those_that_a_device_makes_reading_by_reading() -> None:
    pump, loop = read_recording(io.BytesIO(stream()))
    assert (pump.machine, loop.machine) == ("pump-2", "loop-1")
    extractor = sets.make(
        "vibration-trend/1",
        scalars=["speed"],
        waveforms=[("vibration", RATE_HZ, 0)],
        units={"speed": "1/min", "vibration": "m/s2"},
    )
    state, expected = extractor.initial(), []
    for frame in frames():
        if isinstance(frame, Reading) and frame.machine == 0:
            windows = [window.values for window in frame.windows]
            row = extractor.update(state, frame.time_us, frame.values, windows)
            expected += [] if row is None else [row]
    assert np.array_equal(pump.features, expected)
    assert pump.times.tolist() == [1 * HOUR_US, 3 * HOUR_US, 5 * HOUR_US]
    assert loop.features[:, loop.names.index("flow.last")].tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert loop.features.dtype == np.float32


def test_lines_of_a_declared_bearing_are_where_the_device_looks_for_them() -> None:
    pump, _ = read_recording(io.BytesIO(stream()))
    same, _ = read_recording(io.BytesIO(stream(with_bearing(balls=9, ball_mm=7.94, pitch_mm=39.04))))
    other, _ = read_recording(io.BytesIO(stream(with_bearing(balls=8, ball_mm=6.75, pitch_mm=28.5))))
    assert np.array_equal(same.features, pump.features)
    moved = {pump.names[place] for place in np.flatnonzero((other.features != pump.features).any(axis=0))}
    assert "vibration.log_env_bpfo" in moved
    assert all("env_" in name for name in moved)


def test_a_bearing_that_cannot_be_is_refused_with_its_machine() -> None:
    with pytest.raises(DatasetError, match=r"no features can be made of pump-2: ball diameter: .*got 40"):
        read_recording(io.BytesIO(stream(with_bearing(balls=9, ball_mm=40, pitch_mm=39.04))))


def test_windows_at_another_rate_than_the_table_says_are_refused() -> None:
    pump_wave = replace(TABLE.signals[1], rate_hz=25_600.0)
    faster = replace(TABLE, signals=(TABLE.signals[0], pump_wave, TABLE.signals[2]))
    with pytest.raises(
        DatasetError, match=r"sim-1 gives no features: .*windows at 25600.0 Hz, got 12800.0 Hz"
    ):
        read_recording(io.BytesIO(stream(faster)))


@pytest.mark.parametrize(
    ("spoilt", "sentence"),
    [
        (stream()[:-1], "damaged or was cut short: expected a frame of"),
        (
            stream()[: -len(to_bytes(End(position=12)))],
            "or the end of its feed in the recording, got the end",
        ),
        (stream()[len(to_bytes(Open(source="sim-1", position=0))) :], "expected the name of a device"),
        (
            to_bytes(Open(source="sim-1", position=0)),
            "the signal table of sim-1 in the recording, got the end",
        ),
        (b"", "an empty stream"),
    ],
)
def test_a_stream_that_is_not_whole_is_refused_by_name(spoilt: bytes, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        read_recording(io.BytesIO(spoilt))


def rows(hours: int = 10, machine: str = "pump-1") -> MachineRows:
    return MachineRows(
        machine=machine,
        feature_set="trend/1",
        names=("flow.last",),
        units=("L/min",),
        times=np.arange(1, hours + 1) * HOUR_US,
        features=np.zeros((hours, 1), np.float32),
    )


def label(kind: str, hour: float, **detail: object) -> NewLabel:
    return NewLabel(machine="pump-1", kind=kind, time=to_datetime(round(hour * HOUR_US)), detail=detail)


def pumps() -> UseCase:
    return UseCase.parse(DECLARED, name="pumps")


def test_a_failure_ends_a_life_and_its_last_rows_show_the_fault() -> None:
    found = examples([rows()], [label("failure", 6, fault="ball"), label("maintenance", 7)], pumps())
    assert found.life.tolist() == [1] * 6 + [2] + [3] * 3
    assert found.remaining[:6].tolist() == [5, 4, 3, 2, 1, 0]
    assert np.isnan(found.remaining[6:]).all()
    assert found.health.tolist() == [SOUND] * 2 + [UNKNOWN] + [FAULTY] * 3 + [UNKNOWN] * 4
    assert found.fault.tolist() == [-1] * 3 + [1] * 3 + [-1] * 4
    assert found.faults == ("outer race", "ball")


def test_a_verdict_of_sound_judges_its_span() -> None:
    since = to_datetime(8 * HOUR_US).isoformat()
    found = examples([rows()], [label("verdict", 10, verdict="wrong", fault=None, since=since)], pumps())
    assert found.health.tolist() == [UNKNOWN] * 7 + [SOUND] * 3


def test_machines_are_in_order_and_of_one_kind() -> None:
    found = examples([rows(3, "pump-2"), rows(2, "pump-1"), rows(0, "pump-0")], [], pumps())
    assert found.machines == ("pump-1", "pump-2")
    assert found.machine.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(DatasetError, match="got 0 kinds"):
        examples([rows(0)], [], pumps())


def test_a_recording_comes_through_the_command_and_its_labels_beside_it(tmp_path: Path) -> None:
    (tmp_path / "plant.csv").write_text("time,flow\n2026-01-01,1\n2026-01-02,3\n")
    truth = tmp_path / "truth"
    arguments = ["replay", "csv", str(tmp_path / "plant.csv"), "--feature-set", "trend/1"]
    (found,) = record(arguments, truth)
    assert found.features[:, found.names.index("flow.last")].tolist() == [1.0, 3.0]
    assert label_lines(truth) == []
    with pytest.raises(DatasetError, match="no such file"):
        record(["replay", "csv", str(tmp_path / "gone.csv")], tmp_path / "other")
