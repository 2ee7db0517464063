"""The set bearing/1: a defect stands out at its own orders, whatever the level, the speed or the housing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import cpu, defect_cpu, defect_layout, defect_reference, reference, sets
from kernels.bearing import BEARING_6205
from kernels.defects import defect_features
from kernels.errors import KernelInputError
from kernels.extractor import Extractor

RATE_HZ, LENGTH, SHAFT_HZ = 12_000.0, 16_384, 29.5
NAMES, ORDERS = defect_layout.line_orders(BEARING_6205)
OWN = {
    "bpfo_1x": BEARING_6205.outer_race,
    "bpfi_1x": BEARING_6205.inner_race,
    "2bsf_1x": 2 * BEARING_6205.ball_spin,
}
Windows = NDArray[np.float32]


def strikes(order: float, *, shaft_hz: float = SHAFT_HZ, ring_hz: float = 3100.0, seed: int = 3) -> Windows:
    """Impacts ``order`` times a turn, each ringing the housing, in noise: float32 [1, 16384]."""
    rng = np.random.default_rng(seed)
    moment = np.arange(LENGTH) / RATE_HZ
    since = np.mod(moment + rng.random(), 1 / (order * shaft_hz))
    ringing = 2 * np.exp(-since * 900) * np.sin(2 * np.pi * ring_hz * since)
    return (ringing + rng.normal(0, 0.5, LENGTH)).astype(np.float32)[None]


def features(windows: NDArray, *, shaft_hz: float = SHAFT_HZ) -> dict[str, float]:
    found = defect_features(windows, rate_hz=RATE_HZ, speed_hz=shaft_hz, orders=ORDERS)
    return dict(zip(NAMES, found[0].tolist(), strict=False))


def make(units: dict[str, str], waveforms: list | None = None) -> Extractor:
    wanted = [("vibration", RATE_HZ, LENGTH)] if waveforms is None else waveforms
    return sets.make("bearing/1", scalars=["speed", "load"], waveforms=wanted, units=units)


SIGNALS = {
    "noise": lambda rng: rng.normal(size=(3, 8192)),
    "no power of two": lambda rng: rng.normal(size=(2, 5003)),
    "offset": lambda rng: rng.normal(1e4, 1.0, (2, 4096)),
    "shortest": lambda rng: rng.normal(size=(2, 64)),
    "silence": lambda rng: np.zeros((2, 4096)),
    "sine": lambda rng: np.sin(np.arange(4096) * 0.37)[None],
    "loud": lambda rng: rng.normal(0, 1e9, (1, 4096)),
    "faint": lambda rng: rng.normal(0, 1e-9, (1, 4096)),
    "strikes": lambda rng: strikes(BEARING_6205.inner_race),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_compiled_lines_mean_what_the_reference_means(signal: str) -> None:
    windows = SIGNALS[signal](np.random.default_rng(7)).astype(np.float32)
    places = defect_layout.places(ORDERS, speed_hz=SHAFT_HZ, rate_hz=RATE_HZ, length=windows.shape[1])
    found = []
    for twin, own, stack in (
        (cpu, defect_cpu, windows),
        (reference, defect_reference, windows.astype(np.float64)),
    ):
        spectra = twin.spectrum(twin.centre(stack))
        found.append(own.prominences(own.envelopes(spectra, stack.shape[1]), places))
    assert found[0].dtype == np.float32
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize("line", OWN)
def test_a_defect_stands_out_at_its_own_order(line: str) -> None:
    found = features(strikes(OWN[line]))
    assert found[line] > 1.0
    assert found[line] > 0.5 + max(found[other] for other in OWN if other != line)


def test_a_line_is_the_same_at_another_level() -> None:
    quiet = strikes(BEARING_6205.outer_race)
    loud = features(quiet * np.float32(1000))
    assert loud == pytest.approx(features(quiet), abs=1e-4)


@pytest.mark.parametrize("ring_hz", [1500.0, 2600.0, 4200.0])
@pytest.mark.parametrize("shaft_hz", [20.0, 33.0])
def test_a_line_stands_out_at_any_speed_in_any_housing(ring_hz: float, shaft_hz: float) -> None:
    found = features(strikes(OWN["bpfi_1x"], ring_hz=ring_hz, shaft_hz=shaft_hz), shaft_hz=shaft_hz)
    assert found["bpfi_1x"] > 0.5 + max(found["bpfo_1x"], found["2bsf_1x"])


def test_a_bearing_that_slips_by_a_hundredth_part_still_shows() -> None:
    assert features(strikes(0.992 * OWN["bpfo_1x"]))["bpfo_3x"] > 1.0


def test_sidebands_of_the_inner_race_are_told_from_the_outer_race() -> None:
    """Two turns of the shaft below the inner race's line lies one that is 0.17 orders from the outer race's."""
    turn = 1 + np.cos(2 * np.pi * 2 * SHAFT_HZ / RATE_HZ * np.arange(LENGTH))
    found = features((strikes(OWN["bpfi_1x"]) * turn).astype(np.float32))
    assert found["bpfi_1x"] > 1.0 + found["bpfo_1x"]


def test_sidebands_show_beside_a_line_that_the_shaft_modulates() -> None:
    turn = 1 + 0.8 * np.cos(2 * np.pi * SHAFT_HZ / RATE_HZ * np.arange(LENGTH))
    steady = strikes(OWN["bpfi_1x"])
    modulated = features((steady * turn).astype(np.float32))
    assert modulated["bpfi_1x_sides"] > 0.5 + features(steady)["bpfi_1x_sides"]


def test_a_standing_shaft_and_silence_have_no_lines() -> None:
    noise = np.random.default_rng(1).normal(size=(1, LENGTH)).astype(np.float32)
    assert set(features(noise, shaft_hz=0.0).values()) == {0.0}
    assert set(features(np.zeros_like(noise)).values()) == {0.0}


def test_what_lies_beyond_the_spectrum_of_an_envelope_is_no_line() -> None:
    places = defect_layout.places(ORDERS, speed_hz=60.0, rate_hz=RATE_HZ, length=LENGTH)
    within = ORDERS[:, 0] * 60.0 < RATE_HZ / 16 - 10
    assert [bool(low <= high) for low, high in places[:, 0, 1:3]] == within.tolist()


def test_a_row_names_its_lines_and_ends_with_the_scalars() -> None:
    made = make({"speed": "1/min", "load": "kW"})
    row = made.update(made.initial(), 0, [SHAFT_HZ * 60, 0.7], list(strikes(OWN["bpfo_1x"])))
    assert row is not None
    assert made.names[0] == "vibration.bpfo_1x"
    assert made.names[-2:] == ("speed.last", "load.last")
    assert row[0] == pytest.approx(features(strikes(OWN["bpfo_1x"]))["bpfo_1x"])
    assert row[-2:].tolist() == pytest.approx([SHAFT_HZ * 60, 0.7])
    assert made.restore(made.initial().to_bytes()).to_bytes() == made.initial().to_bytes()


@pytest.mark.parametrize("units", [{}, {"speed": "m/s"}])
def test_a_machine_without_a_speed_of_the_shaft_is_refused(units: dict[str, str]) -> None:
    with pytest.raises(KernelInputError, match="speed: expected a scalar in Hz or 1/min"):
        make(units)


def test_a_machine_without_a_waveform_is_refused() -> None:
    with pytest.raises(KernelInputError, match="at least one waveform"):
        make({"speed": "Hz"}, [])
