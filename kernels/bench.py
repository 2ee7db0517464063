"""How quick the window kernels are in one thread, beside the FFT that they cannot do without.

The other yardstick is the same features as vectorised NumPy and SciPy would have
them, written as well as they allow: float32, products instead of powers, one pass
of the FFT. A test holds its answers against the kernels'. Times are processor time.
"""

from functools import partial
from itertools import pairwise
from statistics import median
from time import thread_time

import numpy as np
from scipy import fft, signal

from kernels import cpu, layout
from kernels.bearing import BEARING_6205
from kernels.vibration import orders, window_features

WINDOWS = 256
LENGTH = 4096
RATE_HZ = 12_000.0
SPEED_HZ = 29.5


def kernels(race, *, quick):
    """Statistics, bands and moments; the envelope; all of vibration/1. See ``firmware_configs.figures``."""
    windows = draw(WINDOWS // 4 if quick else WINDOWS)
    centred = cpu.centre(windows)
    spectra = cpu.spectrum(centred)
    features = partial(window_features, windows, rate_hz=RATE_HZ, orders_=orders(BEARING_6205))
    taken = race(
        {
            "read": windows.max,
            "rfft": partial(fft.rfft, windows, axis=1),
            "plain": partial(features, speed_hz=None),
            "vectorised": partial(vectorised, windows, RATE_HZ),
            "full": partial(features, speed_hz=SPEED_HZ),
            "envelope": partial(cpu.envelope, spectra, LENGTH),
            "hilbert": partial(hilbert, centred),
        },
        rounds=3 if quick else 49,
        clock=thread_time,
    )
    seconds = {name: median(times) for name, times in taken.items()}
    plain, full = "statistics, bands, moments", "vibration/1 with envelope and lines"
    count = len(windows)
    yield _time(f"{plain}, {count} windows", seconds, "plain", "rfft", "<= 3.0")
    yield _rate(plain, seconds, "plain", "vectorised", count, reference="NumPy + SciPy, vectorised")
    yield _time(f"{full}, {count} windows", seconds, "full", "rfft", "<= 5.0")
    yield _rate("envelope", seconds, "envelope", "hilbert", count, reference="hilbert + rfft, vectorised")
    yield {"figure": f"reading {count} windows once", "value": seconds["read"] * 1e3, "unit": "ms"}


def draw(count):
    """float32 [count, 4096]: noise, a shaft, and an offset as accelerometers have one."""
    rng = np.random.default_rng(3)
    shaft = np.sin(2 * np.pi * SPEED_HZ / RATE_HZ * np.arange(LENGTH))
    return (rng.normal(0.5, 1.0, (count, LENGTH)) + shaft).astype(np.float32)


def vectorised(windows, rate_hz):
    """[m, 18]: what ``window_features`` gives without a speed, in NumPy and SciPy."""
    length = windows.shape[1]
    x = windows - windows.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    absolute, square = np.abs(x), x * x
    peak, mean = absolute.max(axis=1), absolute.mean(axis=1)
    second, third, fourth = (part.mean(axis=1) for part in (square, square * x, square * square))
    rms = np.sqrt(second)
    statistics = [rms, peak, peak / rms, fourth / second**2, third / rms**3, rms / mean, peak / mean]
    return np.stack([*statistics, *_spectral(fft.rfft(x, axis=1), length, rate_hz)], axis=1)


def _spectral(spectra, length, rate_hz):
    power = (spectra.real**2 + spectra.imag**2) * np.float32(2 / length**2)
    power[:, 0] /= 2
    if length % 2 == 0:
        power[:, -1] /= 2
    bands = [power[:, low:high].sum(axis=1) for low, high in pairwise(layout.band_edges(length))]
    share = power / power.sum(axis=1, keepdims=True)
    frequency = (np.arange(power.shape[1]) * (rate_hz / length)).astype(np.float32)
    centroid = np.einsum("mk,k->m", share, frequency)  # not @, which may use every core
    spread = np.sqrt(np.einsum("mk,mk->m", share, (frequency - centroid[:, None]) ** 2))
    logarithm = np.log(np.maximum(share, np.float32(1e-37)))
    entropy = -np.einsum("mk,mk->m", share, logarithm) / np.log(power.shape[1])
    return [*bands, centroid, spread, entropy]


def hilbert(centred):
    """The spectrum of the envelope at the full rate, the textbook's way, without its band-pass."""
    envelope = np.abs(signal.hilbert(centred, axis=1))
    return fft.rfft(envelope - envelope.mean(axis=1, keepdims=True), axis=1)


def _time(figure, seconds, ours, theirs, bar):
    return {
        "figure": figure,
        "value": seconds[ours] * 1e3,
        "unit": "ms",
        "reference": "bare rfft",
        "reference_value": seconds[theirs] * 1e3,
        "bar": bar,
    }


def _rate(figure, seconds, ours, theirs, count, *, reference):
    return {
        "figure": figure,
        "value": count / seconds[ours],
        "unit": "window/s",
        "reference": reference,
        "reference_value": count / seconds[theirs],
        "bar": ">= 4.0" if ours == "envelope" else ">= 1.6",
    }
