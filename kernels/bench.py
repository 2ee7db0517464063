"""How quick the window kernels are in one thread, beside the FFT that they cannot do without.

The other yardstick is the same features as vectorised NumPy and SciPy would have
them, written as well as they allow: float32, products instead of powers, one pass
of the FFT. A test holds its answers against the kernels'. Times are processor time.
Beside them stand two that have no bar: reading the samples once, below which nothing
is, and the ten plain statistics of tsfresh (``MinimalFCParameters``), where it is installed.
"""

from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from time import thread_time

import numpy as np
from scipy import fft, signal

from kernels import cpu, layout
from kernels.bearing import BEARING_6205
from kernels.bench_start import start
from kernels.cuda_bench import gpu_kernels
from kernels.vibration import orders, window_features

WINDOWS = 256
LENGTH = 4096
RATE_HZ = 12_000.0
SPEED_HZ = 29.5


def kernels(race, *, quick):
    """Statistics, bands and moments; the envelope; all of vibration/1; a start; the GPU's kernel.

    See ``firmware_configs.figures``.
    """
    windows = draw(WINDOWS // 4 if quick else WINDOWS)
    centred = cpu.centre(windows)
    spectra = cpu.spectrum(centred)
    features = partial(window_features, windows, rate_hz=RATE_HZ, orders_=orders(BEARING_6205))
    taken = race(
        {
            "read": windows.max,
            "rfft": partial(fft.rfft, windows, axis=1),
            "blocks": partial(_in_blocks, windows),
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
    yield _time(
        f"{plain}, in blocks", seconds, "plain", "blocks", "", reference="bare rfft, in blocks as ours"
    )
    yield _rate(plain, seconds, "plain", "vectorised", count, reference="NumPy + SciPy, vectorised")
    yield _time(f"{full}, {count} windows", seconds, "full", "rfft", "<= 5.0")
    yield _rate("envelope", seconds, "envelope", "hilbert", count, reference="hilbert + rfft, vectorised")
    yield _time(f"{plain}, over reading", seconds, "plain", "read", "", reference="reading each sample once")
    yield _tsfresh(race, windows, seconds["plain"])
    if not quick:
        yield from start(race)
    yield from gpu_kernels(race, quick=quick)


def _in_blocks(windows):
    """The FFT of as many windows at a time as the kernels take: it spares the pages of one large result."""
    size = cpu.BLOCK_SAMPLES // windows.shape[1]
    for first in range(0, len(windows), size):
        fft.rfft(windows[first : first + size], axis=1)


def _tsfresh(race, windows, ours):
    """Its ten statistics of the windows, without spectra, beside our eighteen features with them."""
    figure = f"tsfresh, its minimal statistics alone, {len(windows)} windows"
    if find_spec("tsfresh") is None:
        return {"figure": figure, "unit": "ms", "not_run": "tsfresh is not installed: pip install tsfresh"}
    import pandas  # noqa: PLC0415 - comes with tsfresh, which nothing here depends on
    from tsfresh import extract_features  # noqa: PLC0415 - nothing here depends on it
    from tsfresh.feature_extraction import MinimalFCParameters  # noqa: PLC0415 - nothing here depends on it

    long = pandas.DataFrame(
        {
            "window": np.repeat(np.arange(len(windows)), windows.shape[1]),
            "sample": np.tile(np.arange(windows.shape[1]), len(windows)),
            "value": windows.ravel(),
        }
    )
    columns = {"column_id": "window", "column_sort": "sample", "column_value": "value"}
    plain = {"default_fc_parameters": MinimalFCParameters(), "n_jobs": 0, "disable_progressbar": True}
    taken = race(
        {"tsfresh": partial(extract_features, long, **columns, **plain)}, rounds=3, clock=thread_time
    )
    return {
        "figure": figure,
        "value": median(taken["tsfresh"]) * 1e3,
        "unit": "ms",
        "reference": "ours, with bands and moments",
        "reference_value": ours * 1e3,
    }


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


def _time(figure, seconds, ours, theirs, bar, *, reference="bare rfft"):
    return {
        "figure": figure,
        "value": seconds[ours] * 1e3,
        "unit": "ms",
        "reference": reference,
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
