"""Windows that the CUDA twin is held to its reference on, in the simulator and on hardware alike."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kernels import reference, vibration
from kernels.bearing import BEARING_6205

RATE_HZ, SPEED_HZ = 12_800.0, 48.3
ORDERS = vibration.orders(BEARING_6205)
SIMULATED = {"NUMBA_ENABLE_CUDASIM": "1"}  # the environment of the simulator
Windows = NDArray[np.float32]


def _impact(rng: np.random.Generator) -> NDArray:
    windows = rng.normal(0, 0.1, (2, 256))
    windows[1, 20] = 9.0
    return windows


def _flicker(rng: np.random.Generator) -> NDArray:
    """A constant whose last digit moved once: rounding, not vibration."""
    windows = np.full((1, 128), 1e4, np.float32)
    windows[:, 7] = np.nextafter(np.float32(1e4), np.float32(2e4))
    return windows


def _bearing(rng: np.random.Generator) -> NDArray:
    moment = np.arange(512) / RATE_HZ
    since = np.mod(moment, 1 / (BEARING_6205.outer_race * SPEED_HZ))
    ringing = 4 * np.exp(-since * 900) * np.sin(2 * np.pi * 3100 * since)
    return (ringing + 2 * np.sin(2 * np.pi * SPEED_HZ * moment) + rng.normal(0, 0.5, 512))[None, :]


def _all_sizes(rng: np.random.Generator) -> NDArray:
    """Of any level, about any mean up to 1000 times as far off."""
    level, mean = 10 ** rng.uniform(-12, 12, (4, 1)), rng.normal(0, 300, (4, 1))
    return level * (rng.normal(size=(4, 64)) + mean)


def _among(value: float) -> object:
    """The second of three windows has one such sample."""

    def make(rng: np.random.Generator) -> NDArray:
        windows = rng.normal(size=(3, 64))
        windows[1, 5] = value
        return windows

    return make


SIGNALS = {
    "noise": lambda rng: rng.normal(size=(2, 64)),
    "noise, 128": lambda rng: rng.normal(size=(1, 128)),
    "noise, 256": lambda rng: rng.normal(size=(1, 256)),
    "noise, 512": lambda rng: rng.normal(size=(1, 512)),
    "noise, 4096": lambda rng: rng.normal(3.0, 1.0, (1, 4096)),
    "bearing": _bearing,
    "offset": lambda rng: rng.normal(1e4, 1.0, (2, 256)),
    "offset, odd": lambda rng: rng.normal(1e4, 1.0, (1, 81)),
    "impact": _impact,
    "sine": lambda rng: np.sin(np.arange(256) * 0.37)[None, :],
    "skewed": lambda rng: rng.exponential(size=(1, 128)),
    "loud": lambda rng: rng.normal(0, 1e9, (1, 64)),
    "faint": lambda rng: rng.normal(0, 1e-9, (1, 64)),
    "of all sizes": _all_sizes,
    "denormal": lambda rng: rng.normal(0, 1e-41, (1, 64)),
    "denormals beside": lambda rng: np.where(np.arange(64) % 3, rng.normal(size=(1, 64)), 1e-41),
    "vanishing": lambda rng: rng.normal(0, 1e-22, (1, 64)),
    "silence": lambda rng: np.zeros((2, 64)),
    "constant": lambda rng: np.full((1, 100), 0.1),
    "flicker": _flicker,
    "even length": lambda rng: rng.normal(size=(1, 100)),
    "odd length": lambda rng: rng.normal(size=(1, 75)),
    "one sample": lambda rng: np.array([[3.0]]),
    "two samples": lambda rng: rng.normal(size=(1, 2)),
    "few samples": lambda rng: rng.normal(size=(2, 5)),
    "NaN": _among(np.nan),
    "infinity": _among(-np.inf),
}
# How many of these lengths hypothesis draws for the simulator.
DRAWN = {64: 16, 75: 4, 5: 4, 1: 3}
# Bits of as many threads as a GPU is given (None: as the kernel chooses, 5 and 8 here), or as it may be.
ON_HARDWARE = {"noise, 512": None, "noise, 4096": None, "noise, 128": 9}
SILENT = ("silence", "constant", "flicker", "vanishing", "denormal", "one sample")
UNSOUND = ("NaN", "infinity")
TOO_LOUD = 3e19  # its power leaves float32


LARGEST = float(np.float32(1e12))


def any_window(*lengths: int) -> st.SearchStrategy[Windows]:
    """[1, length]: samples of all sizes, denormals and zeros among them, about some mean."""
    sizes = st.one_of(
        st.floats(-LARGEST, LARGEST, width=32),
        st.floats(-1, 1, width=32),
        st.sampled_from((0.0, 1.0, 1e4, float(np.float32(1e-41)))),
    )
    samples = st.sampled_from(lengths).flatmap(lambda n: hnp.arrays(np.float32, (1, n), elements=sizes))
    means = st.sampled_from((0.0, 1.0, 1e4))
    return st.tuples(samples, means).map(lambda made: made[0] + np.float32(made[1]))


def windows_of(name: str) -> Windows:
    return SIGNALS[name](np.random.default_rng(7)).astype(np.float32)


def lines() -> tuple[NDArray, NDArray]:
    """The frequencies, in Hz, of the lines of the spectrum and of the envelope's."""
    return ORDERS[:2] * SPEED_HZ, ORDERS * SPEED_HZ


def expected(windows: Windows) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return reference.features(windows.astype(np.float64), RATE_HZ, *lines())


def scale(expected_: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an error is judged beside: total power, RMS, the rate, or 1 for what has no unit."""
    found = np.ones_like(expected_)
    found[:, [0, 1]] = expected_[:, [0]]
    found[:, 7:15] = expected_[:, [0]] ** 2
    found[:, 15:17] = RATE_HZ
    found[:, 18:] = expected_[:, [0]]
    return found


def assert_equal_enough(got: NDArray[np.float32], windows: Windows) -> None:
    """To a tenth of the tolerance that all twins have to keep, 1e-4 x scale."""
    wanted = expected(windows)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    sound = ~np.isnan(wanted).any(axis=1)
    error = np.abs(got[sound] - wanted[sound])
    np.testing.assert_array_less(error, 1e-5 * (scale(wanted)[sound] + np.abs(wanted[sound])) + 1e-30)
