"""Every twin offers every kernel and means the same; the reference means what the textbooks say."""

import re
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import cpu, layout, machine_code, reference, rows, vibration
from kernels.bearing import BEARING_6205
from kernels.errors import KernelInputError, TwinError

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
    got = twin.features(windows, RATE_HZ, [], [])[:, : len(layout.STATISTICS)]
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)


def at_most(limit: float) -> st.SearchStrategy[float]:
    return st.floats(-limit, limit, width=32)


@st.composite
def drawn(draw: st.DrawFn) -> NDArray[np.float32]:
    """Windows of any length and level: arbitrary samples, or noise about an offset, with an impact or without."""
    length = draw(st.sampled_from((1, 2, 3, 5, 8, 63, 64, 65, 100, 511, 512, 513, 1000, 1025)))
    if length <= 8:
        limit = float(np.float32(draw(st.sampled_from((1e-38, 1e-14, 1e-5, 1.0, 1e4, 1e12)))))
        return np.array([draw(st.lists(at_most(limit), min_size=length, max_size=length))], np.float32)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = draw(st.sampled_from((0.0, 1e-42, 1e-16, 1e-12, 1e-3, 1.0, 1e4, 1e10)))
    window = rng.normal(draw(st.sampled_from((0.0, 1.0, -1e4, 1e9))), level, (2, length))
    window[0, draw(st.integers(0, length - 1))] += level * draw(st.sampled_from((0.0, 50.0, -1e3)))
    return window.astype(np.float32)


def scales(expected: NDArray) -> NDArray:
    """What an error of each feature is held against: 1 for shapes, total power for bands, RMS for amplitudes."""
    rms = expected[:, [0]]
    scale = np.maximum(1.0, np.abs(expected))  # a float32 says no more of a kurtosis of 1000
    scale[:, [0]] = rms
    scale[:, [1]] = expected[:, [1]]
    scale[:, 7:15] = rms**2
    scale[:, 15:17] = RATE_HZ / 2
    scale[:, 18:] = rms
    return scale


@settings(derandomize=True, max_examples=150, deadline=None, database=None)
@given(windows=drawn())
@twins
def test_a_twin_is_within_a_ten_thousandth_of_the_reference_on_any_window(
    twin: ModuleType, windows: NDArray[np.float32]
) -> None:
    expected = features(reference, windows.astype(np.float64))
    exact = windows.astype(np.float64)
    mean, level = np.abs(exact.mean(axis=1)), exact.std(axis=1)
    threshold = np.maximum(layout.QUIET * mean, layout.SILENT)
    assume((np.abs(level / threshold - 1) > 1e-3).all())  # there the last digit decides what is silence
    error = np.abs(features(twin, windows) - expected)
    assert (error <= 1e-4 * scales(expected)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sample", [0, 1, 700, 1000])
@pytest.mark.parametrize("twin", [pytest.param(reference, id="reference"), pytest.param(cpu, id="cpu")])
def test_a_window_that_is_not_finite_is_nan_throughout_and_leaves_its_neighbours_alone(
    twin: ModuleType, sample: int, value: float
) -> None:
    windows = np.random.default_rng(1).normal(size=(5, 1001)).astype(np.float32)
    sound = twin.features(windows, RATE_HZ, [48.3], [48.3, 96.6])
    windows[2, sample] = value
    with np.errstate(invalid="ignore"):
        found = twin.features(windows, RATE_HZ, [48.3], [48.3, 96.6])
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(np.delete(found, 2, axis=0), np.delete(sound, 2, axis=0))


@pytest.mark.parametrize("twin", [pytest.param(reference, id="reference"), pytest.param(cpu, id="cpu")])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_of_a_window_that_is_not_finite_are_refused_by_its_number(
    twin: ModuleType, value: float
) -> None:
    windows = np.ones((3, 256), np.float32)
    windows[1, 9] = value
    with pytest.raises(KernelInputError, match="window 1: expected finite samples"):
        features(twin, windows)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"windows": np.zeros(256, np.float32)}, r"windows: expected \[m, n\] .* got shape \(256,\)"),
        ({"windows": np.zeros((2, 0), np.float32)}, r"windows: .* got shape \(2, 0\)"),
        ({"rate_hz": 0.0}, "rate: expected a finite sampling rate above 0 Hz, got 0.0"),
        ({"rate_hz": np.nan}, "rate: .* got nan"),
        ({"rate_hz": np.inf}, "rate: .* got inf"),
        ({"speed_hz": np.nan}, "speed: expected a finite number .* got nan"),
    ],
)
def test_windows_that_are_none_and_a_rate_or_speed_that_is_none_are_refused_by_name(
    changes: dict, complaint: str
) -> None:
    sound = {
        "windows": np.zeros((2, 256), np.float32),
        "rate_hz": RATE_HZ,
        "speed_hz": 48.3,
        "orders_": [1.0],
    }
    with pytest.raises(KernelInputError, match=complaint):
        vibration.window_features(**sound | changes)


def test_a_batch_longer_than_a_block_is_computed_as_its_windows_one_by_one() -> None:
    windows = (
        np.random.default_rng(1).normal(size=(2 * cpu.BLOCK_SAMPLES // 2048 + 1, 2048)).astype(np.float32)
    )
    one_by_one = [features(cpu, window[None])[0] for window in windows]
    np.testing.assert_allclose(features(cpu, windows), one_by_one, rtol=1e-5, atol=1e-6)


def test_threads_that_compute_at_once_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(1)
    stacks = [rng.normal(size=(40, 1024 + 8 * number)).astype(np.float32) for number in range(4)]
    alone = [features(cpu, stack) for stack in stacks]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for expected, got in zip(
                alone, pool.map(lambda stack: features(cpu, stack), stacks), strict=True
            ):
                np.testing.assert_array_equal(got, expected)


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
    with pytest.raises(
        TwinError, match=rf"differ from their reference by .*: delete {re.escape(str(machine_code.folder()))}"
    ):
        cpu.warm()


def test_the_logarithm_is_right_to_the_last_digits_of_float32() -> None:
    tiny = np.finfo(np.float32).tiny
    values = np.exp(np.random.default_rng(8).uniform(np.log(tiny), 3.0, 2000)).astype(np.float32)
    for x in [*values, tiny, np.float32(1), np.float32(0.70710677), np.float32(0.7071068)]:
        exact = np.log(np.float64(x))
        assert abs(rows.logarithm(x) - exact) <= 3e-7 * max(abs(exact), 1e-3)
    assert np.float32(0) * rows.logarithm(np.float32(0)) == 0
