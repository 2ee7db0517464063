"""Spectra by known sines and by simulated machines: amplitudes, frequencies, and the name of what is broken."""

import numpy as np
import pytest

from cloud_hub.console.machines import spectra
from cloud_hub.console.machines.spectra import ENVELOPE, SPECTRUM
from kernels import reference
from kernels.bearing import BEARING_6205, as_declared
from simulators.motor_pump_life import Mode
from simulators.motor_pump_traits import RATED_SPEED, draw_traits
from simulators.motor_pump_vibration import RATE_HZ, WINDOW, Housing, Moment
from simulators.plant import BEARING

LENGTH, STEP_HZ = 4096, 12_800 / 4096


def sine(hz: float, amplitude: float = 1.0, *, length: int = LENGTH, rate_hz: float = 12_800.0) -> np.ndarray:
    at = np.arange(length) / rate_hz
    return (amplitude * np.cos(2 * np.pi * hz * at + 0.7)).astype(np.float32)


def test_a_sine_on_a_bin_shows_its_own_amplitude_there_and_an_offset_nothing() -> None:
    found = spectra.of(sine(100 * STEP_HZ, 3.0) + 500.0, 12_800.0, SPECTRUM)
    assert found.step_hz == STEP_HZ
    assert len(found.amplitudes) == LENGTH // 2 + 1
    assert found.amplitudes[100] == pytest.approx(3.0, rel=1e-4)
    assert found.amplitudes[:98].max() < 1e-3


def test_it_is_the_windowed_transform_by_the_book_and_the_features_lines() -> None:
    values = np.random.default_rng(4).standard_normal(LENGTH).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    book = np.abs(np.fft.rfft((values - values.mean(dtype=float)) * window)) / (window.sum() / 2)
    found = spectra.of(values, 12_800.0, SPECTRUM).amplitudes
    np.testing.assert_allclose(found[2:-1], book[2:-1], rtol=1e-6)
    told = reference.lines(reference.spectrum(reference.centre(values[None])), LENGTH, [(300, 310)])
    assert found[300:311].max() == pytest.approx(float(told[0, 0]))


@pytest.mark.parametrize("between", [0.0, 0.1, 0.37, 0.5, 0.8])
def test_a_peak_between_two_bins_has_its_frequency_and_amplitude(between: float) -> None:
    hz = (240 + between) * STEP_HZ
    (peak,) = spectra.peaks(spectra.of(sine(hz, 2.0), 12_800.0, SPECTRUM), ())[:1]
    assert peak.hz == pytest.approx(hz, abs=0.01 * STEP_HZ)
    assert peak.amplitude == pytest.approx(2.0, rel=5e-3)


def test_the_envelope_of_a_modulated_carrier_is_its_modulation() -> None:
    at = np.arange(LENGTH) / 12_800
    wave = (1 + 0.5 * np.cos(2 * np.pi * 175 * at)) * np.cos(2 * np.pi * 3200 * at)
    found = spectra.of(wave.astype(np.float32), 12_800.0, ENVELOPE)
    (peak, *_) = spectra.peaks(found, ())
    assert (peak.hz, peak.amplitude) == (pytest.approx(175, abs=0.05), pytest.approx(0.5, rel=0.01))


def test_peaks_are_named_within_slip_and_resolution_and_not_beyond() -> None:
    named = spectra.lines(50.0, BEARING_6205)
    at = {line.short: line.hz for line in named}
    assert at["shaft"] == 50.0
    assert at["3× BPFO"] == pytest.approx(3 * BEARING_6205.outer_race * 50)
    assert at["2× BSF"] == pytest.approx(2 * at["BSF"])
    for off, name in ((0.0, "BPFO"), (0.015, "BPFO"), (-0.015, "BPFO"), (0.06, None)):
        wave = sine(at["BPFO"] * (1 + off), 2.0)
        peak = spectra.peaks(spectra.of(wave, 12_800.0, SPECTRUM), named)[0]
        assert (peak.line.short if peak.line else None) == name
        assert peak.off == pytest.approx(off if name else 0.0, abs=1e-3)


def test_a_harmonic_has_a_name_only_where_what_it_is_one_of_is_heard() -> None:
    named = spectra.lines(50.0, BEARING_6205)
    at = {line.short: line.hz for line in named}
    assert abs(at["6× BPFO"] / at["4× BPFI"] - 1) < 0.01, "else this asks nothing"
    alone = spectra.of(sine(at["6× BPFO"]), 12_800.0, SPECTRUM)
    assert [peak.line for peak in spectra.peaks(alone, named)] == [None]
    for family in ("BPFO", "BPFI"):
        wave = sine(at[family], 2.0) + sine(at["6× BPFO"])
        first, second = spectra.peaks(spectra.of(wave, 12_800.0, SPECTRUM), named)[:2]
        assert first.line.short == family
        assert second.line.short == ("6× BPFO" if family == "BPFO" else "4× BPFI")


def test_nothing_is_named_where_nothing_turns() -> None:
    assert spectra.lines(None, BEARING_6205) == spectra.lines(0.0, BEARING_6205) == ()
    assert {line.name for line in spectra.lines(25.0, None)} == {"turns of the shaft"}


@pytest.mark.parametrize("kind", spectra.KINDS)
@pytest.mark.parametrize(
    "values", [np.zeros(LENGTH), np.full(LENGTH, 7.0), np.ones(1), np.zeros(0), np.ones(63)]
)
def test_silence_and_what_is_too_short_have_no_peaks(kind: str, values: np.ndarray) -> None:
    found = spectra.of(values.astype(np.float32), 12_800.0, kind)
    assert np.isfinite(found.amplitudes).all()
    assert spectra.peaks(found, spectra.lines(50.0, BEARING_6205)) == []


def windows(mode: Mode, damage: float, name: str, count: int = 8) -> list[np.ndarray]:
    housing, chance = Housing(draw_traits(5, name)), np.random.default_rng(9)
    moment = Moment(turn=1.0, demand=1.0, flow_share=0.95, cavitation=0.0, bearing=damage, worn=0.0)
    return [axis for _ in range(count) for axis in housing.window(moment, mode, chance)]


@pytest.mark.parametrize(
    ("mode", "name"), [(Mode.OUTER_RACE, "BPFO"), (Mode.INNER_RACE, "BPFI"), (Mode.BALL, "2× BSF")]
)
def test_the_highest_line_of_a_struck_bearing_says_what_strikes_it(mode: Mode, name: str) -> None:
    """As the page of a machine shows it: by the bearing that its table declares, not the one it really has."""
    named = spectra.lines(RATED_SPEED / 60, as_declared(BEARING))
    for machine in ("pump-1", "pump-2", "pump-3"):
        found = windows(mode, 0.7, machine)
        assert found[0].shape == (WINDOW,)
        tops = [spectra.peaks(spectra.of(each, RATE_HZ, ENVELOPE), named)[0] for each in found]
        told = [peak.line.short for peak in tops if peak.line]
        assert told.count(name) >= 0.8 * len(found), (machine, told)


def test_a_sound_bearing_names_no_race() -> None:
    named = spectra.lines(RATED_SPEED / 60, as_declared(BEARING))
    for each in windows(Mode.OUTER_RACE, 0.0, "pump-1", 4):
        top = spectra.peaks(spectra.of(each, RATE_HZ, SPECTRUM), named)[0]
        assert top.line is None or top.line.short.endswith("shaft")
