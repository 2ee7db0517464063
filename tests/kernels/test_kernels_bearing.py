"""A machine's own bearing: its lines lie where its geometry puts them, and one that cannot be is refused by name."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import sets
from kernels.bearing import BEARING_6205, Bearing
from kernels.errors import KernelInputError
from wire.table import Bearing as Declared
from wire.table import Signal, SignalKind

RATE_HZ, LENGTH, SHAFT_HZ = 12_800.0, 8192, 49.0
SMALL = Declared(balls=8, ball_mm=6.75, pitch_mm=28.5)
OUTER_RACE = Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5).outer_race
SPEED = Signal(id=0, machine=0, name="speed", unit="1/min")
WAVE = Signal(id=1, machine=0, name="vibration", unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=RATE_HZ)
NAN = float("nan")


def impacts(order: float) -> NDArray[np.float32]:
    """``order`` times a turn, each ringing a resonance at 3.1 kHz, in noise."""
    rng = np.random.default_rng(5)
    since = np.mod(np.arange(LENGTH) / RATE_HZ + rng.random(), 1 / (order * SHAFT_HZ))
    ringing = 4 * np.exp(-since * 900) * np.sin(2 * np.pi * 3100 * since)
    return (ringing + rng.normal(0, 0.3, LENGTH)).astype(np.float32)


def features(name: str, bearing: Declared | None) -> dict[str, float]:
    made = sets.of_signals(name, [SPEED], [WAVE], bearing=bearing)
    row = made.update(made.initial(), 0, [SHAFT_HZ * 60], [impacts(OUTER_RACE)])
    assert row is not None
    return dict(zip(made.names, row.tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "line", "higher"),
    [
        ("vibration/1", "vibration.env_bpfo", 4.0),  # times
        ("vibration-trend/1", "vibration.log_env_bpfo", 1.2),
        ("vibration-trend/2", "vibration.log_env_bpfo", 1.2),
        ("bearing/1", "vibration.bpfo_1x", 2.0),
    ],
)
def test_a_defect_of_a_declared_bearing_shows_and_is_not_seen_where_a_6205_has_its_lines(
    name: str, line: str, higher: float
) -> None:
    own, assumed = features(name, SMALL), features(name, None)
    assert own.keys() == assumed.keys()
    assert own[line] > higher * assumed[line]


def test_a_declared_6205_is_what_is_assumed_where_nothing_is_declared() -> None:
    declared = Declared(balls=9, ball_mm=7.94, pitch_mm=39.04)
    made = [sets.of_signals("vibration/1", [SPEED], [WAVE], bearing=told) for told in (declared, None)]
    made[1].restore(made[0].initial().to_bytes())
    assert features("vibration/1", declared) == features("vibration/1", None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"balls": 2}, "balls of the bearing: expected a whole number, 3 to 1000, got 2"),
        ({"balls": 8.5}, "a whole number, 3 to 1000, got 8.5"),
        ({"balls": None}, "a whole number, 3 to 1000, got nan"),
        ({"balls": 1e300}, "3 to 1000, got 1000"),
        (
            {"ball_mm": 28.5},
            "ball diameter: expected 0.0285 to 10.91 mm, as 8 balls fit on a pitch circle of 28",
        ),
        ({"ball_mm": 11.5}, "ball diameter: .*got 11.5"),
        ({"ball_mm": 0.0}, "ball diameter: .*got 0.0"),
        ({"ball_mm": 1e-320}, "ball diameter: .*got 1e-320"),
        ({"ball_mm": None}, "ball diameter: .*got nan"),
        ({"ball_mm": NAN}, "ball diameter: .*got nan"),
        ({"pitch_mm": None}, "pitch diameter: expected a finite length above 0 mm, got nan"),
        ({"pitch_mm": -28.5}, "pitch diameter: .*got -28.5"),
        ({"contact_deg": 90.0}, "contact angle: expected between 0 and 90 degrees, got 90"),
        ({"contact_deg": None}, "contact angle: .*got nan"),
    ],
)
def test_a_bearing_that_cannot_be_is_refused_by_what_is_wrong(change: dict, told: str) -> None:
    for name in ("vibration/1", "trend/1"):
        with pytest.raises(KernelInputError, match=told):
            sets.of_signals(name, [SPEED], [WAVE], bearing=replace(SMALL, **change))


def test_which_bearing_is_looked_for_is_told_where_one_is() -> None:
    assert sets.bearing_of("vibration/1", [SPEED], None) == BEARING_6205
    assert sets.bearing_of("vibration/1", [SPEED], SMALL) == Bearing(balls=8, ball_mm=6.75, pitch_mm=28.5)
    assert sets.bearing_of("trend/1", [SPEED], SMALL) is None
    assert sets.bearing_of("vibration/1", [replace(SPEED, unit="1")], SMALL) is None, (
        "no orders without a speed"
    )
