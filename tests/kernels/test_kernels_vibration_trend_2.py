"""vibration-trend/2: what a machine was at its quietest, and what its speed explains."""

import numpy as np
import pytest

from kernels import sets
from kernels.extractor import Extractor

RATE_HZ = 12_800.0
LENGTH = 512
UNITS = {"speed": "1/min", "pressure": "bar", "temperature": "Cel", "vibration_x": "m/s2"}
SCALARS = ("speed", "pressure", "temperature")
SPEED = 2940.0


def make(units: dict[str, str] = UNITS) -> Extractor:
    return sets.make(
        "vibration-trend/2", scalars=SCALARS, waveforms=[("vibration_x", RATE_HZ, LENGTH)], units=units
    )


def shaken(size: float, rpm: float, seed: int) -> np.ndarray:
    """One turn of the shaft at ``size`` m/s2, and a little noise."""
    time = np.arange(LENGTH) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.02, LENGTH)
    return (size * np.sin(2 * np.pi * rpm / 60 * 2 * time) + noise).astype(np.float32)


def run(
    sizes: list[float], *, speeds: list[float] | None = None, pressures: list[float] | None = None
) -> dict[str, np.ndarray]:
    made, rows = make(), []
    state = made.initial()
    for index, size in enumerate(sizes):
        rpm = speeds[index] if speeds else SPEED
        pressure = pressures[index] if pressures else 5.0
        rows.append(made.update(state, index, [rpm, pressure, 40.0], [shaken(size, rpm, index)]))
    return dict(zip(made.names, np.array(rows).T, strict=True))


def test_a_rise_is_measured_from_the_machine_itself_however_loud_it_is() -> None:
    quiet, loud = (run([size] * 60 + [1.5 * size] * 30) for size in (1.0, 3.0))
    for found in (quiet, loud):
        rise = found["vibration_x.log_order_2x.rise"]
        assert abs(rise[59]) < 0.05
        assert rise[-1] == pytest.approx(np.log(1.5), abs=0.06)
    assert loud["vibration_x.log_order_2x.fast"][59] - quiet["vibration_x.log_order_2x.fast"][59] > 1


def test_after_a_repair_the_floor_goes_down_with_the_machine() -> None:
    found = run([1.0] * 60 + [3.0] * 100 + [1.0] * 60)
    rise = found["vibration_x.log_order_2x.rise"]
    assert rise[159] > 0.8
    assert abs(rise[-1]) < 0.05
    assert found["vibration_x.log_order_2x.fall"][-1] > 0.7  # the ceiling remembers


def test_what_speed_explains_is_no_rise_and_no_fall() -> None:
    speeds = [SPEED, 0.7 * SPEED] * 60
    sizes = [(speed / SPEED) ** 2 for speed in speeds]
    pressures = [5 * (speed / SPEED) ** 2 for speed in speeds]
    found = run(sizes, speeds=speeds, pressures=pressures)
    assert found["vibration_x.log_rms.rise"][-1] < 0.1
    assert found["pressure.fall"][-1] < 0.03
    level = found["vibration_x.log_rms"]
    assert np.ptp(level[-2:]) > 0.5


def test_head_that_is_lost_at_equal_speed_is_a_fall() -> None:
    found = run([1.0] * 90, pressures=[5.0] * 60 + [4.5] * 30)
    assert found["pressure.fall"][-1] == pytest.approx(np.log(5 / 4.5), abs=0.01)
    assert found["temperature.rise"][-1] == 0


def test_the_hub_computes_a_life_at_once_as_the_device_did() -> None:
    made = make()
    windows = np.stack([shaken(1.0 + index / 5, SPEED, index) for index in range(6)])
    scalars = np.array([[SPEED, 5.0 - index / 10, 40 + index] for index in range(6)])
    scalars[3, 1] = np.nan
    state, rows = made.initial(), []
    for index in range(6):
        state = made.restore(state.to_bytes())
        rows.append(made.update(state, index, scalars[index], [windows[index]]))
    np.testing.assert_array_equal(made.batch(np.arange(6), scalars, [windows]), rows)


@pytest.mark.parametrize("rpm", [0.0, 1e6, -2940.0])
def test_a_standing_racing_or_reversing_shaft_gives_finite_features(rpm: float) -> None:
    made = make()
    row = made.update(made.initial(), 0, [rpm, -0.2, 40.0], [np.zeros(LENGTH, np.float32)])
    assert row is not None
    assert np.isfinite(row).all()


def test_without_the_unit_of_speed_nothing_is_taken_out() -> None:
    made = make({**UNITS, "speed": "1"})
    row = made.update(made.initial(), 0, [SPEED, 5.0, 40.0], [shaken(1.0, SPEED, 1)])
    assert row is not None
    found = dict(zip(made.names, row, strict=True))
    assert found["vibration_x.log_rms.fast"] == found["vibration_x.log_rms"]
    assert "vibration_x.log_env_bpfo" not in found


def test_what_a_window_says_by_itself_is_that_of_the_first_set() -> None:
    first = sets.make(
        "vibration-trend/1", scalars=SCALARS, waveforms=[("vibration_x", RATE_HZ, LENGTH)], units=UNITS
    )
    second = make()
    reading = ([SPEED, 5.0, 40.0], [shaken(1.0, SPEED, 1)])
    one = dict(zip(first.names, first.update(first.initial(), 0, *reading), strict=True))
    two = dict(zip(second.names, second.update(second.initial(), 0, *reading), strict=True))
    shared = [name for name in one if name in two and not name.endswith((".fast", ".slow"))]
    assert len(shared) > 25
    assert {name: one[name] for name in shared} == {name: two[name] for name in shared}
    assert len(set(second.names)) == len(second.names) == len(second.units)
