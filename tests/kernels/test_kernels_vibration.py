"""The vibration sets: a defect shows where it should, bad windows are refused, and memories heal after a repair."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import sets
from kernels.bearing import BEARING_6205, Bearing
from kernels.errors import KernelInputError, KernelStateError, UnknownFeatureSetError
from kernels.extractor import Extractor

RATE_HZ, LENGTH, SHAFT_HZ = 12_800.0, 4096, 49.0
UNITS = {"speed": "1/min", "temperature": "Cel", "vibration_x": "m/s2", "vibration_y": "m/s2"}
Window = NDArray[np.float32]


def make(name: str, units: dict[str, str] = UNITS) -> Extractor:
    return sets.make(
        name,
        scalars=["speed", "temperature"],
        waveforms=[("vibration_x", RATE_HZ, LENGTH), ("vibration_y", RATE_HZ, LENGTH)],
        units=units,
    )


def noise(rng: np.random.Generator) -> Window:
    return rng.normal(0, 0.5, LENGTH).astype(np.float32)


def defect(rng: np.random.Generator, order: float, depth: float = 4.0) -> Window:
    """Impacts ``order`` times a turn, each ringing a resonance at 3.1 kHz, beside unbalance and noise."""
    moment = np.arange(LENGTH) / RATE_HZ
    since = np.mod(moment + rng.random(), 1 / (order * SHAFT_HZ))
    ringing = depth * np.exp(-since * 900) * np.sin(2 * np.pi * 3100 * since)
    shaft = 2 * np.sin(2 * np.pi * SHAFT_HZ * moment)
    return (ringing + shaft + rng.normal(0, 0.5, LENGTH)).astype(np.float32)


def describe(made: Extractor, windows: list[Window], rpm: float = SHAFT_HZ * 60) -> dict[str, float]:
    row = made.update(made.initial(), 0, [rpm, 50.0], windows)
    assert row is not None
    assert np.isfinite(row).all()
    return dict(zip(made.names, row.tolist(), strict=True))


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("env_bpfo", BEARING_6205.outer_race),
        ("env_bpfi", BEARING_6205.inner_race),
        ("env_2bsf", 2 * BEARING_6205.ball_spin),
    ],
)
def test_a_bearing_defect_shows_at_its_own_order(line: str, order: float) -> None:
    rng = np.random.default_rng(3)
    found = describe(make("vibration/1"), [defect(rng, order), noise(rng)])
    lines = {name: found[f"vibration_x.{name}"] for name in ("env_bpfo", "env_bpfi", "env_2bsf", "env_ftf")}
    others = max(value for name, value in lines.items() if name != line)
    assert lines[line] > 4 * others
    assert lines[line] > 10 * found[f"vibration_y.{line}"]


def test_a_slipping_bearing_still_shows() -> None:
    rng = np.random.default_rng(3)
    found = describe(make("vibration/1"), [defect(rng, 0.99 * BEARING_6205.outer_race), noise(rng)])
    assert found["vibration_x.env_bpfo"] > 4 * found["vibration_x.env_bpfi"]


def test_unbalance_shows_at_the_speed_of_the_shaft() -> None:
    rng = np.random.default_rng(3)
    found = describe(make("vibration/1"), [defect(rng, 3.58), noise(rng)])
    assert found["vibration_x.order_1x"] == pytest.approx(2.0, rel=0.2)  # a Hann window loses at most 15 %
    assert found["vibration_x.order_2x"] < 0.3


INCH = 25.4
# Case Western Reserve University bearing data center: 6205-2RS and 6203-2RS, as multiples of the speed. Qiu, Lee,
# Lin & Yu, "Wavelet filter-based weak signature detection", Journal of Sound and Vibration 289, 2006: Rexnord
# ZA-2115, 236.4 Hz of the outer race at 2000 turns a minute.
PUBLISHED = {
    "6205-2RS": (
        BEARING_6205,
        {"inner_race": 5.4152, "outer_race": 3.5848, "cage": 0.39828, "ball_spin": 4.7135 / 2},
    ),
    "6203-2RS": (
        Bearing(balls=8, ball_mm=0.2656 * INCH, pitch_mm=1.122 * INCH),
        {"inner_race": 4.9469, "outer_race": 3.0530, "cage": 0.3817, "ball_spin": 3.9874 / 2},
    ),
    "ZA-2115": (
        Bearing(balls=16, ball_mm=0.331 * INCH, pitch_mm=2.815 * INCH, contact_deg=15.17),
        {"outer_race": 236.4 * 60 / 2000},
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_orders_of_a_bearing_are_the_published_ones(name: str) -> None:
    bearing, published = PUBLISHED[name]
    assert {part: getattr(bearing, part) for part in published} == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize(
    "geometry", [(2, 8, 39, 0), (8.5, 8, 39, 0), (9, 40, 39, 0), (9, np.nan, 39, 0), (9, 8, 39, 90)]
)
def test_a_bearing_that_cannot_be_built_is_refused(geometry: tuple) -> None:
    balls, ball_mm, pitch_mm, contact_deg = geometry
    with pytest.raises(KernelInputError):
        Bearing(balls=balls, ball_mm=ball_mm, pitch_mm=pitch_mm, contact_deg=contact_deg)


def test_the_unit_of_speed_decides_whether_there_are_lines() -> None:
    assert "vibration_x.env_bpfo" in make("vibration/1", {"speed": "Hz"}).names
    assert "vibration_x.env_bpfo" not in make("vibration/1", {"speed": "m/s"}).names
    assert "vibration_x.env_bpfo" not in make("vibration/1", {}).names


def test_speed_in_hertz_and_in_turns_a_minute_mean_the_same() -> None:
    windows = [noise(np.random.default_rng(1)), noise(np.random.default_rng(2))]
    in_minutes = describe(make("vibration/1"), windows, rpm=2940.0)
    in_hertz = describe(make("vibration/1", UNITS | {"speed": "Hz"}), windows, rpm=49.0)
    assert in_minutes["vibration_x.env_bpfo"] == in_hertz["vibration_x.env_bpfo"]


@pytest.mark.parametrize("rpm", [0.0, 1e6, -2940.0, 1e30])
@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/1"])
def test_a_standing_racing_or_reversing_shaft_gives_finite_features(name: str, rpm: float) -> None:
    rng = np.random.default_rng(1)
    describe(make(name), [noise(rng), np.zeros(LENGTH, np.float32)], rpm=rpm)


@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/1"])
@pytest.mark.parametrize(
    ("windows", "complaint"),
    [
        ([np.full(LENGTH, np.nan), np.zeros(LENGTH)], "vibration_x: expected finite .* got nan at sample 0"),
        ([np.zeros(LENGTH), np.r_[np.zeros(LENGTH - 1), np.inf]], "vibration_y: .* got inf at sample 4095"),
        ([np.full(LENGTH, 1e13), np.zeros(LENGTH)], "vibration_x: expected finite samples within"),
        ([np.zeros(LENGTH), np.zeros(100)], "vibration_y: expected a window of 4096 samples, got shape"),
        ([np.zeros(LENGTH)], "windows: expected none, or one for each of 2, got 1"),
    ],
)
def test_a_bad_window_is_refused_by_name_and_leaves_the_state_alone(
    name: str, windows: list, complaint: str
) -> None:
    made = make(name)
    state = made.initial()
    made.update(state, 0, [2940.0, 40.0], [np.ones(LENGTH, np.float32)] * 2)
    before = state.to_bytes()
    with pytest.raises(KernelInputError, match=complaint):
        made.update(state, 1, [2950.0, 41.0], [window.astype(np.float32) for window in windows])
    assert state.to_bytes() == before


def test_a_reading_without_windows_makes_no_row_but_its_scalars_hold() -> None:
    made = make("vibration/1")
    state = made.initial()
    windows = [noise(np.random.default_rng(1))] * 2
    assert made.update(state, 0, [2940.0, np.nan]) is None
    assert made.update(state, 1, [np.nan, np.nan], windows) is None  # the temperature is not known yet
    assert made.update(state, 2, [np.nan, 44.0]) is None
    row = made.update(state, 3, [np.nan, np.nan], windows)
    assert row is not None
    assert row[-2:].tolist() == [2940.0, 44.0]


@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/1"])
def test_the_hub_computes_a_life_at_once_as_the_device_did(name: str) -> None:
    rng = np.random.default_rng(8)
    made, state = make(name), make(name).initial()
    stacks = [np.stack([noise(rng) for _ in range(6)]) for _ in range(2)]
    scalars = np.array([[2940.0, 40 + index] for index in range(6)])
    scalars[3, 1] = np.nan
    rows = []
    for index in range(6):
        state = made.restore(state.to_bytes())
        rows.append(made.update(state, index, scalars[index], [stack[index] for stack in stacks]))
    np.testing.assert_array_equal(made.batch(np.arange(6), scalars, stacks), rows)


def run(made: Extractor, temperatures: list[float]) -> dict[str, list[float]]:
    state, rows = made.initial(), []
    rng = np.random.default_rng(6)
    for index, temperature in enumerate(temperatures):
        rows.append(made.update(state, index, [2940.0, temperature], [noise(rng), noise(rng)]))
    return dict(zip(made.names, np.array(rows).T.tolist(), strict=True))


def test_fast_and_slow_memories_part_when_something_changes() -> None:
    found = run(make("vibration-trend/1"), [40.0] * 30 + [60.0] * 5)
    assert found["temperature.drift"][29] == 0.0
    assert 40 < found["temperature.slow"][-1] < 46
    assert 56 < found["temperature.fast"][-1] < 60
    assert found["temperature.drift"][-1] == pytest.approx(
        found["temperature.fast"][-1] - found["temperature.slow"][-1], abs=1e-5
    )


def test_after_a_repair_the_memories_heal_by_themselves() -> None:
    worn_then_new = run(make("vibration-trend/1"), [80.0] * 40 + [40.0] * 120)
    always_new = run(make("vibration-trend/1"), [40.0] * 160)
    for name in ("temperature.fast", "temperature.slow", "temperature.drift"):
        assert worn_then_new[name][-1] == pytest.approx(always_new[name][-1], abs=0.2)


@given(temperatures=st.lists(st.floats(-50, 150), min_size=1, max_size=8))
def test_a_young_memory_is_the_plain_mean(temperatures: list[float]) -> None:
    made = sets.make(
        "vibration-trend/1", scalars=["temperature"], waveforms=[("vibration_x", RATE_HZ, 64)], units={}
    )
    state, row = made.initial(), None
    for temperature in temperatures:
        row = made.update(state, 0, [temperature], [np.zeros(64, np.float32)])
    assert row is not None
    slow = dict(zip(made.names, row.tolist(), strict=True))["temperature.slow"]
    assert slow == pytest.approx(np.mean(temperatures), abs=1e-3)


def test_names_are_unique_and_the_width_of_motor_health_stays_below_150() -> None:
    made = sets.make(
        "vibration-trend/1",
        scalars=["speed", "temperature", "pressure", "flow", "current", "power"],
        waveforms=[("vibration_x", RATE_HZ, 0), ("vibration_y", RATE_HZ, 0)],
        units=UNITS,
    )
    assert len(set(made.names)) == len(made.names) == len(made.units) == made.width < 150


@pytest.mark.parametrize(
    "waveform",
    [
        ("vibration_x", 0.0, 4096),
        ("vibration_x", np.nan, 4096),
        ("vibration_x", np.inf, 4096),
        ("vibration_x", 100.0, 8),
    ],
)
def test_a_waveform_without_rate_or_length_is_refused(waveform: tuple) -> None:
    with pytest.raises(KernelInputError, match="vibration_x"):
        sets.make("vibration/1", scalars=[], waveforms=[waveform])


def test_a_set_without_the_signals_it_needs_or_with_a_name_twice_is_refused() -> None:
    with pytest.raises(KernelInputError, match="at least one waveform"):
        sets.make("vibration/1", scalars=["temperature"])
    with pytest.raises(KernelInputError, match="at least one scalar"):
        sets.make("trend/1", scalars=[])
    with pytest.raises(KernelInputError, match="each name once"):
        sets.make("trend/1", scalars=["a", "a"])
    with pytest.raises(
        UnknownFeatureSetError, match=r"trend/1, .*vibration-trend/1, .*vibration/1, got 'trend/2'"
    ):
        sets.make("trend/2", scalars=["a"])


def test_the_state_of_another_set_is_refused() -> None:
    with pytest.raises(KernelStateError):
        make("vibration-trend/1").restore(make("vibration/1").initial().to_bytes())


@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/1", "vibration-trend/2", "bearing/1"])
@pytest.mark.parametrize(
    ("rate_hz", "bearing"),
    [(25_600.0, BEARING_6205), (RATE_HZ, Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5))],
)
def test_what_was_remembered_at_another_rate_or_of_another_bearing_is_refused(
    name: str, rate_hz: float, bearing: Bearing
) -> None:
    def built(rate_hz: float, bearing: Bearing) -> Extractor:
        waveforms = [("vibration_x", rate_hz, LENGTH)]
        return sets.make(name, scalars=["speed"], waveforms=waveforms, units=UNITS, bearing=bearing)

    before = built(RATE_HZ, BEARING_6205).initial().to_bytes()
    built(RATE_HZ, BEARING_6205).restore(before)
    with pytest.raises(KernelStateError, match="have changed"):
        built(rate_hz, bearing).restore(before)


def test_each_set_has_a_version_of_its_own() -> None:
    assert set(sets.VERSIONS) >= {"trend/1", "vibration/1", "vibration-trend/1", "vibration-trend/2"}
    assert all(len(version) == 64 for version in sets.VERSIONS.values())
    assert len(set(sets.VERSIONS.values())) == len(sets.VERSIONS)


def test_a_motor_reading_takes_well_under_two_milliseconds() -> None:
    sets.warm()
    made = make("vibration-trend/1")
    windows = [noise(np.random.default_rng(1)), noise(np.random.default_rng(2))]
    state, seconds = made.initial(), []
    for index in range(200):
        begin = time.perf_counter()
        made.update(state, index, [2940.0, 40.0], windows)
        seconds.append(time.perf_counter() - begin)
    assert np.median(seconds) < 2e-3
