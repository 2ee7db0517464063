"""Recorded data through the same feed: real files where they are, small bad ones where they are not."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from simulators.errors import RecordingError, SettingError, TruthError
from simulators.recorded import share_out
from simulators.recorded_cmapss import SIGNALS, read_cmapss
from simulators.recorded_cwru import BEARING, PASS_HZ, STEP, STOP_HZ, read_cwru, to_instrument
from simulators.recorded_skab import read_skab
from simulators.recorded_table import Layout, read_csv, read_parquet, signal_name
from simulators.replaying import Kind, Request, Speed, prepare
from simulators.truth import Truth
from wire.clock import Clock, to_datetime, to_us
from wire.feed import Reading
from wire.table import SignalKind

HOUR_US = 3_600_000_000


def request(kind: Kind, path: Path, **changes: object) -> Request:
    fields: dict[str, object] = {
        "kind": kind,
        "path": path,
        "devices": ("sim-1",),
        "speed": Speed.MAX,
        "step_s": None,
        "length": 2048,
        "keep_time": False,
        "first_position": 1,
        "layout": Layout(),
    }
    return Request(**(fields | changes))  # type: ignore[arg-type]  # names are checked by dataclasses


def write_engines(folder: Path, lengths: tuple[int, ...], part: str = "train") -> Path:
    rng = np.random.default_rng(3)
    path = folder / f"{part}_FD009.txt.gz"
    with gzip.open(path, "wt") as file:
        for unit, length in enumerate(lengths, 1):
            for cycle in range(1, length + 1):
                file.write(
                    " ".join([str(unit), str(cycle), *map("{:.4f}".format, rng.normal(size=24))]) + "\n"
                )
    return path


def lines(truth: Truth, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (truth.folder / name).read_text().splitlines()]


def test_engines_are_machines_and_cycles_are_readings(tmp_path: Path) -> None:
    recording = read_cmapss(write_engines(tmp_path, (5, 3, 4)), step_us=HOUR_US)
    sources = share_out(recording, ("sim-1", "sim-2"))
    names = {device: [machine.name for machine in s.table.machines] for device, s in sources.items()}
    assert names == {"sim-1": ["fd009-train-001", "fd009-train-003"], "sim-2": ["fd009-train-002"]}
    readings = list(sources["sim-1"].readings(0))
    assert [reading.position for reading in readings] == list(range(1, 10))
    assert all(len(reading.values) == len(SIGNALS) == 24 for reading in readings)
    assert sources["sim-1"].samples_until(4) == 4 * 24
    assert sources["sim-1"].samples_until(999) == 9 * 24


def test_a_replay_has_just_ended_and_its_engines_failed_at_their_last_cycle(tmp_path: Path) -> None:
    truth, clock = Truth(tmp_path / "truth"), Clock.real()
    before = clock.now_us()
    _recording, sources = prepare(request(Kind.CMAPSS, write_engines(tmp_path, (5, 3))), clock, truth)
    readings = list(sources["sim-1"].readings(0))
    assert before <= readings[-1].time_us <= clock.now_us()
    last = {reading.machine: reading.time_us for reading in readings}
    labels = {str(line["machine"]): line for line in lines(truth, "labels.jsonl")}
    assert labels["fd009-train-001"] == {
        "machine": "fd009-train-001",
        "kind": "failure",
        "time": to_datetime(last[0]).isoformat(),
    }
    assert datetime.fromisoformat(str(labels["fd009-train-002"]["time"])) == to_datetime(last[1])


def test_a_second_start_gives_the_same_readings_at_the_same_times(tmp_path: Path) -> None:
    path, truth = write_engines(tmp_path, (5, 3)), Truth(tmp_path / "truth")
    runs = [prepare(request(Kind.CMAPSS, path), Clock.real(), truth)[1]["sim-1"] for _ in range(2)]
    one, other = (list(run.readings(0)) for run in runs)
    assert [(r.time_us, r.values) for r in one] == [(r.time_us, r.values) for r in other]
    write_engines(tmp_path, (5, 4))
    with pytest.raises(TruthError, match="another run"):
        prepare(request(Kind.CMAPSS, path), Clock.real(), truth)


def test_true_lives_of_test_engines_go_to_the_truth_alone(tmp_path: Path) -> None:
    path, truth = write_engines(tmp_path, (5, 3), "test"), Truth(tmp_path / "truth")
    with pytest.raises(RecordingError, match=r"RUL_FD009\.txt"):
        read_cmapss(path, step_us=HOUR_US)
    (tmp_path / "RUL_FD009.txt").write_text("40\n7\n")
    prepare(request(Kind.CMAPSS, path), Clock.real(), truth)
    assert [(line["machine"], line["remaining_life"]) for line in lines(truth, "rul.jsonl")] == [
        ("fd009-test-001", 40),
        ("fd009-test-002", 7),
    ]
    assert lines(truth, "labels.jsonl") == []


def test_a_recording_can_follow_another_one(tmp_path: Path) -> None:
    recording = read_cmapss(write_engines(tmp_path, (5, 3)), step_us=HOUR_US)
    first = share_out(recording, ("sim-1",))["sim-1"]
    behind = share_out(recording, ("sim-1",), first_position=first.last_position + 1)["sim-1"]
    readings = list(behind.readings(first.last_position))
    assert [reading.position for reading in readings] == list(range(9, 17))
    assert behind.samples_until(8) == 0
    assert behind.samples_until(16) == first.samples_until(8)
    assert [r.values for r in readings] == [r.values for r in first.readings(0)]


def test_the_recorded_engines_arrive_whole(recorded_data: Path) -> None:
    recording = read_cmapss(recorded_data / "cmapss" / "train_FD001.txt.gz", step_us=HOUR_US)
    sources = share_out(recording, tuple(f"sim-{n}" for n in range(1, 7)))
    assert len(recording.tracks) == 100
    assert sum(source.last_position for source in sources.values()) == 20_631
    assert sum(s.samples_until(s.last_position) for s in sources.values()) == 20_631 * 24
    first = next(iter(sources["sim-1"].readings(0)))
    named = dict(zip((s.name for s in sources["sim-1"].table.signals), first.values, strict=False))
    assert (named["T24"], named["W32"], named["setting_3"]) == (641.82, 23.4190, 100.0)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("engines.txt", "1 1 2\n", "named like train_FD001"),
        ("train_FD001.txt", "1 1 2\n", "expected 26 columns, got 3"),
        ("train_FD001.txt", "one two\n", "cannot read"),
        ("train_FD001.txt", " ".join(["1", "2"] + ["0"] * 24) + "\n", "a hole or a jump"),
        ("train_FD001.txt", " ".join(["1", "1"] + ["nan"] * 24) + "\n", "finite"),
        ("train_FD001.txt.gz", "not gzip", "cannot read"),
    ],
)
def test_a_file_that_is_no_engine_text_is_refused(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecordingError, match=sentence):
        read_cmapss(tmp_path / name, step_us=HOUR_US)


def brought(signal: np.ndarray, rate_hz: int) -> np.ndarray:
    return to_instrument(signal, rate_hz, rng=np.random.default_rng(1))


@pytest.mark.parametrize("rate_hz", [12_000, 48_000])
def test_recordings_of_any_rate_are_passed_and_stopped_alike(rate_hz: int) -> None:
    seconds = np.arange(rate_hz) / rate_hz
    passed, stopped = (np.sin(2 * np.pi * hz * seconds) for hz in (PASS_HZ - 100, STOP_HZ + 100))
    nothing = brought(np.zeros(rate_hz), rate_hz).std()
    assert brought(passed, rate_hz).std() == pytest.approx(np.sqrt(0.5), rel=0.01)
    assert brought(1000 * STEP * stopped, rate_hz).std() == pytest.approx(nothing, rel=0.02)


@pytest.mark.parametrize("amplitude", [0.2, 300.0])
def test_rounding_adds_noise_of_one_level_whatever_the_signal(amplitude: float) -> None:
    """Without dither a faint signal would vanish, and its steps would tell it from a loud one."""
    signal = amplitude * STEP * np.sin(2 * np.pi * 1000 * np.arange(60_000) / 12_000)
    found = brought(signal, 12_000)
    error = found - signal[(len(signal) - len(found)) // 2 :][: len(found)]
    assert error.std() == pytest.approx(STEP / 2, rel=0.02)
    assert np.array_equal(found / STEP, np.round(found / STEP))
    assert np.array_equal(found.astype(np.float32).astype(np.float64), found)


def test_bearing_recordings_become_windows_of_one_instrument(recorded_data: Path) -> None:
    path = recorded_data / "cwru" / "cwru_drive_end_loads_0_1_2.npz"
    recording = read_cwru(path, length=2048, step_us=None)
    tracks = {track.machine.name: track for track in recording.tracks}
    assert len(tracks) == 10
    sound = tracks["cwru-normal"]
    assert sound.waveform is not None
    assert sound.waveform.values.shape == (243_938 // 4 // 2048, 2048)
    for track in recording.tracks:
        assert track.waveform is not None
        assert track.waveform.rate_hz == 12_000
        levels = np.unique(track.waveform.values)
        assert np.diff(levels).min() == STEP
    faulty = tracks["cwru-or021at6"]
    described = json.loads(path.with_suffix(".json").read_text())["OR021at6_2_236"]
    assert faulty.values[-1].tolist() == [described["rpm"], pytest.approx(2 * 0.7457)]
    assert np.unique(faulty.values[:, 1]).tolist() == pytest.approx([0, 0.7457, 2 * 0.7457])
    labels = {str(line["machine"]): dict(line) for _time, line in recording.notes["labels.jsonl"]}
    assert labels["cwru-or021at6"] == {
        "machine": "cwru-or021at6",
        "kind": "verdict",
        "verdict": "right",
        "fault": "outer race",
        "since": 0,
    }
    assert (labels["cwru-normal"]["verdict"], labels["cwru-normal"]["fault"]) == ("wrong", None)


def test_long_windows_of_a_bearing_overlap(recorded_data: Path) -> None:
    path = recorded_data / "cwru" / "cwru_drive_end_loads_0_1_2.npz"
    track = read_cwru(path, length=16_384, step_us=None).tracks[0]
    assert track.waveform is not None
    windows = track.waveform.values
    assert np.array_equal(windows[0, 4096:], windows[1, :-4096])
    assert np.diff(track.times_us).tolist() == [round(4096e6 / 12_000)] * (len(windows) - 1)


def test_a_window_of_a_recording_comes_with_its_speed_and_load(recorded_data: Path) -> None:
    path = recorded_data / "cwru" / "cwru_drive_end_loads_0_1_2.npz"
    source = share_out(read_cwru(path, length=4096, step_us=None), ("sim-1",))["sim-1"]
    reading = next(iter(source.readings(0)))
    assert len(reading.values) == 2
    assert [len(window.values) for window in reading.windows] == [4096]
    assert len(source.table.signals_of(0, SignalKind.WAVEFORM)) == 1
    assert {machine.bearing for machine in source.table.machines} == {BEARING}


def test_the_testbed_keeps_its_judgements_for_the_truth(recorded_data: Path) -> None:
    recording = read_skab(recorded_data / "skab" / "valve1")
    assert len(recording.tracks) == 16
    names = {name for name, _unit in recording.tracks[0].signals}
    assert {"flow", "pressure", "current", "accelerometer_1"} < names
    assert not names & {"anomaly", "changepoint"}
    assert len(recording.notes["anomalies.jsonl"]) > 1000
    free = read_skab(recorded_data / "skab" / "anomaly-free" / "anomaly-free.csv")
    assert free.notes["anomalies.jsonl"] == []


BAD_CSV = """time;machine;flow (l/min);pressure;remark
2026-01-01T00:00:00Z;A;10;1.5;ok
yesterday;A;11;1.5;time is no time
2026-01-01T00:00:02Z;A;;1.6;flow is missing
2026-01-01T00:00:01Z;B;12;nan;pressure is NaN
2026-01-01T00:00:03Z;A;inf;x;nothing is a number
2026-01-01T00:00:04Z;A;13
2026-01-01T00:00:05Z;A;14;1.7;ok
"""


def test_bad_rows_and_missing_values_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "plant.csv"
    path.write_text(BAD_CSV)
    layout = Layout(machine_column="machine", units={"flow (l/min)": "L/min"}, machine_class="mixer")
    recording = read_csv(path, layout)
    assert (recording.bad_rows, recording.missing_values) == (2, 4)
    source = share_out(recording, ("sim-1",))["sim-1"]
    shown = [
        (source.table.machines[r.machine].name, named(source.table.signals, r)) for r in source.readings(0)
    ]
    assert shown == [
        ("a", {"flow_l_min": 10.0, "pressure": 1.5}),
        ("b", {"flow_l_min": 12.0}),
        ("a", {"pressure": 1.6}),
        ("a", {"flow_l_min": 14.0, "pressure": 1.7}),
    ]
    assert source.samples_until(source.last_position) == 6
    assert {s.name: s.unit for s in source.table.signals} == {"flow_l_min": "L/min", "pressure": "1"}


def named(signals: tuple, reading: Reading) -> dict[str, float]:
    return {signals[s].name: v for s, v in zip(reading.signals, reading.values, strict=True)}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1767225600", 1767225600_000_000),
        ("1767225600.5", 1767225600_500_000),
        ("1767225600000", 1767225600_000_000),
        ("1767225600000000", 1767225600_000_000),
        ("2026-01-01 00:00:00", 1767225600_000_000),
        ("2026-01-01T01:00:00+01:00", 1767225600_000_000),
    ],
)
def test_times_are_understood_in_many_forms(tmp_path: Path, cell: str, expected: int) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"timestamp,value\n{cell},1\n")
    assert read_csv(path, Layout()).tracks[0].times_us.tolist() == [expected]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "an empty file"),
        ("a,b\n1,2\n", "expected a column named time"),
        ("time,b\nnow,2\n", "not one could be read"),
        ("time,b\n2026-01-01,x\n", "a column of numbers"),
        ("time,b\n", "not one could be read"),
        ("time,b\n1e400,2\n9" + "9" * 400 + ",2\n", "not one could be read"),
        ("time,b\n-5,2\n", "not one could be read"),
    ],
)
def test_a_table_without_times_or_numbers_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=sentence):
        read_csv(path, Layout())


def test_a_parquet_table_says_the_same_as_its_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    times = [datetime(2026, 1, 1, 0, 0, n, tzinfo=UTC) for n in range(3)]
    table = pyarrow.table({"time": times, "flow": [1.0, None, 3.0], "name": ["x", "y", "z"]})
    parquet.write_table(table, tmp_path / "t.parquet")
    recording = read_parquet(tmp_path / "t.parquet", Layout())
    assert recording.tracks[0].signals == (("flow", "1"),)
    assert recording.tracks[0].times_us.tolist() == [to_us(moment) for moment in times]
    assert recording.missing_values == 1
    (tmp_path / "t.parquet").write_text("no parquet")
    with pytest.raises(RecordingError, match="cannot read"):
        read_parquet(tmp_path / "t.parquet", Layout())


def test_titles_become_names_that_a_signal_table_takes() -> None:
    assert signal_name("Volume Flow RateRMS") == "Volume_Flow_RateRMS"
    assert signal_name("  flow (l/min) ") == "flow_l_min"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"path": Path("nowhere.txt")}, "no such file"),
        ({"step_s": -1.0}, "--step"),
        ({"length": 10}, "--length"),
        ({"keep_time": True}, "no times to keep"),
        ({"first_position": 0}, "--first-position"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    fields = {"path": write_engines(tmp_path, (3,))} | changes
    with pytest.raises(SettingError, match=sentence):
        request(Kind.CMAPSS, **fields).read()


def test_more_devices_than_machines_is_refused(tmp_path: Path) -> None:
    recording = read_cmapss(write_engines(tmp_path, (3,)), step_us=HOUR_US)
    with pytest.raises(RecordingError, match="nothing is left for sim-2"):
        share_out(recording, ("sim-1", "sim-2"))


def test_a_paced_replay_begins_now(tmp_path: Path) -> None:
    clock = Clock.real()
    before = clock.now_us()
    asked = request(Kind.CMAPSS, write_engines(tmp_path, (3,)), speed=Speed.PACED, step_s=60.0)
    _recording, sources = prepare(asked, clock, Truth(tmp_path / "truth"))
    times = [reading.time_us for reading in sources["sim-1"].readings(0)]
    assert before <= times[0] <= clock.now_us()
    assert np.diff(times).tolist() == [60_000_000, 60_000_000]
