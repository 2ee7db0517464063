"""Every twin offers every kernel and means the same; the reference means what the textbooks say."""

import re
from types import ModuleType

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import scipy.stats
from numpy.typing import NDArray

from kernels import cpu, layout, reference, rows, vibration
from kernels.bearing import BEARING_6205
from kernels.errors import TwinError

RATE_HZ = 12_800.0
Floats = NDArray[np.float64]
twins = pytest.mark.parametrize("twin", [pytest.param(cpu, id="cpu")])


def impacts(rng: np.random.Generator) -> Floats:
    windows = rng.normal(0, 0.1, (3, 1024))
    windows[1, 20] = 9.0
    return windows


def flicker(rng: np.random.Generator) -> Floats:
    """A constant whose last digit moved once: rounding, not vibration."""
    windows = np.full((2, 300), 1e4, np.float32)
    windows[:, 7] = np.nextafter(np.float32(1e4), np.float32(2e4))
    return windows.astype(np.float64)


SIGNALS = {
    "flicker": flicker,
    "noise": lambda rng: rng.normal(size=(257, 512)),
    "odd length": lambda rng: rng.normal(size=(3, 1001)),
    "offset": lambda rng: rng.normal(1e4, 1.0, (4, 4096)),
    "impact": impacts,
    "silence": lambda rng: np.zeros((2, 256)),
    "constant": lambda rng: np.full((2, 300), 0.1),
    "one sample": lambda rng: np.array([[3.0]]),
    "few samples": lambda rng: rng.normal(size=(2, 5)),
    "loud": lambda rng: rng.normal(0, 1e9, (2, 512)),
    "faint": lambda rng: rng.normal(0, 1e-9, (2, 512)),
    "vanishing": lambda rng: rng.normal(0, 1e-22, (2, 512)),
    "sine": lambda rng: np.sin(np.arange(4096) * 0.37)[None, :],
    "skewed": lambda rng: rng.exponential(size=(3, 4096)),
}


@pytest.fixture(params=SIGNALS)
def windows(request: pytest.FixtureRequest) -> NDArray[np.float32]:
    return SIGNALS[request.param](np.random.default_rng(7)).astype(np.float32)


def features(twin: ModuleType, windows: NDArray) -> NDArray:
    return vibration.window_features(
        windows, rate_hz=RATE_HZ, speed_hz=48.3, orders_=vibration.orders(BEARING_6205), twin=twin
    )


@twins
def test_a_twin_offers_every_kernel(twin: ModuleType) -> None:
    assert set(reference.__all__) <= set(vars(twin))


@twins
def test_a_twin_agrees_with_the_reference(twin: ModuleType, windows: NDArray) -> None:
    expected = features(reference, windows.astype(np.float64))
    got = features(twin, windows)
    assert got.dtype == np.float32
    # Amplitudes and powers are judged beside the signal's own: a line far below it is rounding noise of the FFT.
    scale = np.ones_like(expected)
    scale[:, [0, 1]] = expected[:, [0]]
    scale[:, 7:15] = expected[:, [0]] ** 2
    scale[:, 15:17] = RATE_HZ
    scale[:, 18:] = expected[:, [0]]
    np.testing.assert_array_less(np.abs(got - expected), 2e-5 * np.abs(expected) + 2e-6 * scale + 1e-30)


@twins
def test_statistics_agree_with_the_reference_on_an_offset_to_the_digits_that_the_samples_have(
    twin: ModuleType,
) -> None:
    """At 1e4 a float32 sample keeps three decimals: naive float32 sums would keep none."""
    windows = np.random.default_rng(3).normal(1e4, 1.0, (8, 4096)).astype(np.float32)
    expected = reference.statistics(reference.centre(windows))
    np.testing.assert_allclose(twin.statistics(twin.centre(windows)), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["silence", "constant", "one sample", "vanishing", "flicker"])
def test_a_window_without_vibration_is_all_zeros(name: str) -> None:
    windows = SIGNALS[name](np.random.default_rng(0)).astype(np.float32)
    for twin in (reference, cpu):
        assert not features(twin, windows).any()


def test_kurtosis_and_skewness_are_those_of_scipy() -> None:
    windows = np.random.default_rng(5).gamma(2.0, size=(5, 2000))
    found = dict(zip(layout.STATISTICS, reference.statistics(reference.centre(windows)).T, strict=True))
    np.testing.assert_allclose(found["kurtosis"], scipy.stats.kurtosis(windows, axis=1, fisher=False))
    np.testing.assert_allclose(found["skewness"], scipy.stats.skew(windows, axis=1))


def test_a_sine_has_the_statistics_of_the_textbook() -> None:
    wave = 2 * np.sin(2 * np.pi * np.arange(4096) / 64)[None, :]
    found = dict(zip(layout.STATISTICS, reference.statistics(reference.centre(wave))[0], strict=True))
    assert found["rms"] == pytest.approx(np.sqrt(2))
    assert found["crest"] == pytest.approx(np.sqrt(2))
    assert found["kurtosis"] == pytest.approx(1.5)
    assert found["shape"] == pytest.approx(np.pi / np.sqrt(8), rel=1e-3)
    assert found["impulse"] == pytest.approx(np.pi / 2, rel=1e-3)


@pytest.mark.parametrize("length", [2, 5, 100, 129, 1001, 4096])
def test_the_bands_share_the_whole_power_and_no_bin_twice(length: int) -> None:
    """Parseval: the power of the bands is the variance."""
    windows = np.random.default_rng(2).normal(5.0, 2.0, (4, length))
    spectra = reference.spectrum(reference.centre(windows))
    bands = reference.spectral(spectra, length, RATE_HZ)[:, : layout.BANDS]
    np.testing.assert_allclose(bands.sum(axis=1), windows.var(axis=1))


def test_a_line_lies_in_the_band_of_its_frequency() -> None:
    for octave, band in ((0.9, 8), (0.3, 7), (0.2, 6), (0.001, 1)):
        wave = np.sin(np.pi * octave * np.arange(4096))[None, :]
        found = reference.spectral(reference.spectrum(reference.centre(wave)), 4096, RATE_HZ)[0]
        assert int(np.argmax(found[: layout.BANDS])) + 1 == band


def test_centroid_spread_and_entropy_tell_a_line_from_noise() -> None:
    rng = np.random.default_rng(4)
    wave = np.sin(2 * np.pi * np.arange(4096) / 16)
    windows = np.stack([wave, rng.normal(size=4096)])
    line, noise = reference.spectral(reference.spectrum(reference.centre(windows)), 4096, RATE_HZ)[:, 8:]
    np.testing.assert_allclose(line, [RATE_HZ / 16, 0.0, 0.0], atol=1e-6)
    assert noise[0] == pytest.approx(RATE_HZ / 4, rel=0.05)
    assert noise[1] == pytest.approx(RATE_HZ / 2 / np.sqrt(12), rel=0.05)
    assert noise[2] > 0.9


def test_the_amplitude_of_a_line_is_that_of_its_sine() -> None:
    wave = 3 * np.sin(2 * np.pi * 100 * np.arange(4096) / 4096)[None, :]
    spectra = reference.spectrum(reference.centre(wave))
    assert reference.lines(spectra, 4096, [[98, 102]])[0, 0] == pytest.approx(3.0)
    assert reference.lines(spectra, 4096, [[200, 300], [7, 3]]).tolist() == [
        [pytest.approx(0, abs=1e-9), 0.0]
    ]


def test_the_envelope_is_that_of_a_hilbert_transform_of_the_band() -> None:
    """Modulation at 60 Hz of a carrier at 3 kHz comes out as a line at 60 Hz, as deep as it went in."""
    time = np.arange(4096) / 4096
    wave = (1 + 0.4 * np.sin(2 * np.pi * 60 * time)) * np.sin(2 * np.pi * 1000 * time)
    textbook = np.abs(scipy.signal.hilbert(wave))
    expected = 2 / 4096 * np.abs(scipy.fft.rfft(textbook - textbook.mean()))[60]
    spectra = reference.spectrum(reference.centre(wave[None, :]))
    found = reference.lines(reference.envelope(spectra, 4096), 1024, [[60, 60]])[0, 0]
    assert expected == pytest.approx(0.4, rel=1e-6)
    assert found == pytest.approx(expected, rel=1e-3)


def test_a_stale_compilation_is_noticed_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu.warm()
    monkeypatch.setattr(cpu, "_magnitude", lambda analytic, scale, out: out.fill(2.0))
    with pytest.raises(TwinError, match=re.escape("clear Numba's cache")):
        cpu.warm()


def test_the_logarithm_is_right_to_the_last_digits_of_float32() -> None:
    tiny = np.finfo(np.float32).tiny
    values = np.exp(np.random.default_rng(8).uniform(np.log(tiny), 3.0, 2000)).astype(np.float32)
    for x in [*values, tiny, np.float32(1), np.float32(0.70710677), np.float32(0.7071068)]:
        exact = np.log(np.float64(x))
        assert abs(rows.logarithm(x) - exact) <= 3e-7 * max(abs(exact), 1e-3)
    assert np.float32(0) * rows.logarithm(np.float32(0)) == 0
