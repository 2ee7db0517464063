"""The window kernels on one CPU core: compiled loops around SciPy's single-precision FFT.

Serial on purpose: parallel loops spin when the cores are busy, and an agent's
worst window matters more than its best. Windows go through in blocks that stay
in the core's cache, in memory that the thread keeps; SciPy alone allocates, the
spectra it gives back.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

import sys
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from kernels import layout, machine_code, reference, rows
from kernels.compiled import compiled
from kernels.errors import TwinError
from kernels.scratch import Scratch

__all__ = ["centre", "envelope", "features", "spectral", "spectrum", "warm"]

Rows = NDArray[np.float32]
Spectra = NDArray[np.complex64]

BLOCK_SAMPLES = 2**17  # of the windows that go through together: 512 kB, and as much of spectra
FIRST_SPECTRAL = len(layout.STATISTICS)
FIRST_LINE = FIRST_SPECTRAL + len(layout.SPECTRAL)

_scratch = Scratch()
_edges = lru_cache(64)(layout.band_edges)


def features(windows: Rows, rate_hz: float, near: ArrayLike, far: ArrayLike) -> Rows:
    """See ``reference.features``."""
    windows = np.ascontiguousarray(windows, np.float32)
    count, length = windows.shape
    places = [
        layout.line_bins(wanted, rate_hz=rate_hz, length=length, bins=bins)
        for wanted, bins in ((near, length // 2 + 1), (far, layout.envelope_bins(length)))
    ]
    found = np.empty((count, FIRST_LINE + len(places[0]) + len(places[1])), np.float32)
    size = max(BLOCK_SAMPLES // length, 1)
    for first in range(0, count, size):
        _features(windows[first : first + size], rate_hz, places, found[first : first + size])
    return found


def _features(windows: Rows, rate_hz: float, places: list[NDArray[np.int64]], found: Rows) -> None:
    length = windows.shape[1]
    near, far = places
    centred = _scratch.array("centred", windows.shape)
    _measure(windows, centred, found)
    spectra = fft.rfft(centred, axis=1)
    _spectral(spectra, length, float(rate_hz), _edges(length), _powers(spectra), found, FIRST_SPECTRAL)
    if len(near):
        _lines(spectra, length, near, found, FIRST_LINE)
    if len(far):
        _lines(
            _envelope(spectra, length, spoil=True), max(length // 4, 1), far, found, FIRST_LINE + len(near)
        )


def centre(windows: Rows) -> Rows:
    """See ``reference.centre``."""
    windows = np.ascontiguousarray(windows, np.float32)
    centred = np.empty_like(windows)
    _measure(windows, centred, np.empty((len(windows), FIRST_SPECTRAL), np.float32))
    return centred


def spectrum(centred: Rows) -> Spectra:
    """See ``reference.spectrum``."""
    return fft.rfft(centred, axis=1)


def spectral(spectra: Spectra, length: int, rate_hz: float) -> Rows:
    """See ``reference.spectral``."""
    found = np.empty((len(spectra), len(layout.SPECTRAL)), np.float32)
    _spectral(spectra, length, float(rate_hz), _edges(length), _powers(spectra), found, 0)
    return found


def envelope(spectra: Spectra, length: int) -> Spectra:
    """See ``reference.envelope``."""
    return _envelope(spectra, length, spoil=False)


def _envelope(spectra: Spectra, length: int, *, spoil: bool) -> Spectra:
    low, high = layout.resonance_bins(length)
    if high <= low:
        return np.zeros((len(spectra), 1), np.complex64)
    analytic = fft.ifft(spectra[:, low:high], axis=1, overwrite_x=spoil)
    magnitude = _scratch.array("magnitude", analytic.shape)
    _magnitude(analytic, np.float32(2 * (high - low) / length), magnitude)
    return fft.rfft(magnitude, axis=1)


def _powers(spectra: Spectra) -> Rows:
    return _scratch.array("powers", spectra.shape[1:])


def warm() -> None:
    """Compile everything and prove it on this machine; TwinError if a kernel disagrees with the reference.

    Machine code comes from a cache that an upgrade may have left behind.
    """
    rng = np.random.default_rng(5)
    windows = (rng.normal(3.0, 1.0, (2, 256)) + np.sin(np.arange(256) / 3)).astype(np.float32)
    expected = _every_kernel(reference, windows.astype(np.float64))
    for writeable in (True, False):  # the compiler takes them for two types
        windows.flags.writeable = writeable
        got = _every_kernel(sys.modules[__name__], windows)
        if not np.allclose(got, expected, rtol=1e-3, atol=1e-3):
            worst = float(np.abs(got - expected).max())
            raise TwinError(
                f"compiled kernels differ from their reference by {worst:g}: delete {machine_code.folder()}"
            )


def _every_kernel(twin, windows):
    spectra = twin.spectrum(twin.centre(windows))
    return np.concatenate(
        [
            twin.features(windows, 256.0, [12.0, 42.0], [8.0, 15.0]),
            twin.spectral(spectra, 256, 256.0),
            np.abs(twin.envelope(spectra, 256)),
        ],
        axis=1,
    )


@compiled
def _measure(windows, centred, out):
    """Fill in the windows less their means, and the statistics, which are the first columns of ``out``."""
    for i in range(len(windows)):
        _measure_one(windows[i], centred[i], out[i])


@compiled
def _measure_one(window, centred, out):
    length = len(window)
    total, least, largest = rows.total_and_range(window)
    exact = total / length
    mean = np.float32(exact)
    rest = np.float32(exact - mean)
    low = rows.deviation(rows.unordered(least), mean, rest)
    high = rows.deviation(rows.unordered(largest), mean, rest)
    peak = max(high, -low)
    scale = rows.ONE / peak if peak > layout.SILENT else rows.ZERO
    absolute, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    for begin in range(0, length, rows.BLOCK):
        block = slice(begin, begin + rows.BLOCK)
        part = rows.centred_moments(window[block], mean, rest, scale, centred[block])
        absolute += part[0]
        second += part[1]
        third += part[2]
        fourth += part[3]
    if rows.is_quiet(np.sqrt(second / length) * peak, exact):
        centred[:] = 0
        peak = rows.ZERO
    found = rows.statistics(
        np.float64(peak), absolute / length, second / length, third / length, fourth / length
    )
    for j in range(len(found)):
        out[j] = found[j]


@compiled
def _spectral(spectra, length, rate_hz, edges, power, out, column):
    """Fill in bands and shape, which are columns of ``out``; ``power`` [k] is overwritten."""
    for i in range(len(spectra)):
        own = out[i, column:]
        total = _bands(spectra[i], length, edges, power, own)
        _shape(power, length, rate_hz, total, own[len(edges) - 1 :])


@compiled
def _bands(row, length, edges, power, out):
    """Fill in the power of each bin, as a share of what counts twice, and of each band; the sum of all."""
    last = len(row) - 1
    total = 0.0
    for band in range(len(edges) - 1):
        double = 0.0
        for begin in range(edges[band], edges[band + 1], rows.BLOCK):
            end = min(begin + rows.BLOCK, edges[band + 1])
            double += rows.powers(row[begin:end], power[begin:end])
        if edges[band] == 0 and edges[band + 1] > 0:
            double -= _halve(power, 0)
        if length % 2 == 0 and edges[band] <= last < edges[band + 1]:
            double -= _halve(power, last)
        out[band] = 2 * double / (length * length)
        total += double
    return total


@compiled
def _halve(power, k):
    """Bin k stands for no negative frequency: half its power, which is what it loses."""
    power[k] *= rows.HALF
    return power[k]


@compiled
def _shape(power, length, rate_hz, total, out):
    """Fill in centroid, spread and entropy."""
    out[:3] = 0
    if total <= 0:
        return
    bins, scale = len(power), np.float32(1 / total)
    centroid, information, second = 0.0, 0.0, 0.0
    for begin in range(0, bins, rows.BLOCK):
        first, part = rows.shape(power[begin : begin + rows.BLOCK], begin, scale)
        centroid += first
        information += part
    middle = np.float32(centroid)
    for begin in range(0, bins, rows.BLOCK):
        second += rows.spread(power[begin : begin + rows.BLOCK], begin, scale, middle)
    out[0] = centroid * rate_hz / length
    out[1] = np.sqrt(second) * rate_hz / length
    out[2] = -information / max(np.log(float(bins)), 1.0)


@compiled
def _magnitude(analytic, scale, out):
    """Fill in the magnitude of complex [m, k] less its mean."""
    for i in range(len(analytic)):
        rows.magnitudes(analytic[i], scale, out[i])
        mean = np.float32(rows.total(out[i]) / len(out[i]))
        for j in range(len(out[i])):
            out[i, j] -= mean


@compiled
def _lines(spectra, length, ranges, out, column):
    """Fill in an amplitude for each of ``ranges``, which are columns of ``out``."""
    for i in range(len(spectra)):
        unsound = np.isnan(spectra[i, 0].real)  # the sum of all samples
        for line in range(len(ranges)):
            strongest = np.nan if unsound else 0.0
            for k in range(ranges[line, 0], ranges[line, 1] + 1):
                strongest = max(strongest, rows.hann_line(spectra[i], k))
            out[i, column + line] = strongest * 4 / length
