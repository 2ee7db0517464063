"""The window kernels on one CPU core: compiled loops around SciPy's single-precision FFT.

Serial on purpose: parallel loops spin when the cores are busy, and an agent's
worst window matters more than its best.
"""

import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from kernels import layout, reference, rows
from kernels.compiled import compiled
from kernels.errors import TwinError

__all__ = ["centre", "envelope", "lines", "spectral", "spectrum", "statistics", "warm"]

Rows = NDArray[np.float32]
Spectra = NDArray[np.complex64]

_ZERO = np.float64(0)  # sums are float64 here


def centre(windows: Rows) -> Rows:
    """See ``reference.centre``."""
    return _centre(np.ascontiguousarray(windows, np.float32))


def statistics(centred: Rows) -> Rows:
    """See ``reference.statistics``."""
    return _statistics(centred)


def spectrum(centred: Rows) -> Spectra:
    """See ``reference.spectrum``."""
    return fft.rfft(centred, axis=1)


def spectral(spectra: Spectra, length: int, rate_hz: float) -> Rows:
    """See ``reference.spectral``."""
    return _spectral(spectra, length, float(rate_hz), layout.band_edges(length))


def envelope(spectra: Spectra, length: int) -> Spectra:
    """See ``reference.envelope``."""
    low, high = layout.resonance_bins(length)
    if high <= low:
        return np.zeros((len(spectra), 1), np.complex64)
    analytic = fft.ifft(spectra[:, low:high], axis=1)
    return fft.rfft(_magnitude(analytic, np.float32(2 * (high - low) / length)), axis=1)


def lines(spectra: Spectra, length: int, ranges: ArrayLike) -> Rows:
    """See ``reference.lines``."""
    return _lines(spectra, length, np.array(ranges, np.int64).reshape(-1, 2))


def warm() -> None:
    """Compile everything and prove it on this machine; TwinError if a kernel disagrees with the reference.

    Machine code comes from a cache that an upgrade may have left behind.
    """
    rng = np.random.default_rng(5)
    windows = (rng.normal(3.0, 1.0, (2, 256)) + np.sin(np.arange(256) / 3)).astype(np.float32)
    expected = _every_stage(reference, windows.astype(np.float64))
    got = _every_stage(sys.modules[__name__], windows)
    if not np.allclose(got, expected, rtol=1e-3, atol=1e-3):
        worst = float(np.abs(got - expected).max())
        raise TwinError(f"compiled kernels differ from their reference by {worst:g}: clear Numba's cache")


def _every_stage(twin, windows):
    centred = twin.centre(windows)
    spectra = twin.spectrum(centred)
    return np.concatenate(
        [
            twin.statistics(centred),
            twin.spectral(spectra, 256, 256.0),
            twin.lines(spectra, 256, [[9, 15], [40, 44]]),
            twin.lines(twin.envelope(spectra, 256), 64, [[1, 30]]),
        ],
        axis=1,
    )


@compiled
def _centre(windows):
    out = np.empty_like(windows)
    count, length = windows.shape
    for i in range(count):
        exact = rows.part_total(windows[i], 0, length, 1, _ZERO) / length
        mean = np.float32(exact)
        rest = np.float32(exact - mean)
        for j in range(length):
            out[i, j] = rows.deviation(windows[i, j], mean, rest)
        squares = rows.part_squares(out[i], 0, length, 1, _ZERO)
        if rows.is_quiet(np.sqrt(squares / length), exact):
            out[i, :] = 0
    return out


@compiled
def _statistics(centred):
    count, length = centred.shape
    out = np.empty((count, 7), np.float32)
    for i in range(count):
        peak = rows.part_peak(centred[i], 0, length, 1)
        scale = np.float32(1) / peak if peak > 0 else np.float32(0)
        absolute, second, third, fourth = rows.part_moments(centred[i], 0, length, 1, scale, _ZERO)
        found = rows.statistics(
            np.float64(peak), absolute / length, second / length, third / length, fourth / length
        )
        for j in range(7):
            out[i, j] = found[j]
    return out


@compiled
def _spectral(spectra, length, rate_hz, edges):
    count = len(spectra)
    out = np.empty((count, len(edges) + 2), np.float32)
    for i in range(count):
        total = _bands(spectra[i], length, edges, out[i])
        _shape(spectra[i], length, rate_hz, total, out[i, len(edges) - 1 :])
    return out


@compiled
def _bands(row, length, edges, out):
    """Fill in the power of each band; the sum of all."""
    last = len(row) - 1
    total = 0.0
    for band in range(len(edges) - 1):
        power = 2 * rows.part_power(row, edges[band], edges[band + 1], 1, _ZERO)
        if edges[band] == 0 and edges[band + 1] > 0:
            power -= rows.part_power(row, 0, 1, 1, _ZERO)
        if length % 2 == 0 and edges[band] <= last < edges[band + 1]:
            power -= rows.part_power(row, last, last + 1, 1, _ZERO)
        power /= length * length
        out[band] = power
        total += power
    return total


@compiled
def _shape(row, length, rate_hz, total, out):
    """Fill in centroid, spread and entropy."""
    bins = len(row)
    out[:3] = 0
    if total <= 0:
        return
    double = np.float32(2 / (total * length * length))
    single = double / np.float32(2)
    inner = bins - 1 if length % 2 == 0 else bins
    _, first, information = rows.part_shape(row, 1, inner, 1, double, _ZERO)
    _, nyquist_first, nyquist_information = rows.part_shape(row, inner, bins, 1, single, _ZERO)
    centroid = first + nyquist_first
    middle = np.float32(centroid)
    second = rows.part_spread(row, 1, inner, 1, double, middle, _ZERO)
    second += rows.part_spread(row, inner, bins, 1, single, middle, _ZERO)
    out[0] = centroid * rate_hz / length
    out[1] = np.sqrt(second) * rate_hz / length
    out[2] = -(information + nyquist_information) / max(np.log(float(bins)), 1.0)


@compiled
def _magnitude(analytic, scale):
    """[m, k] complex to float32: the magnitude less its mean."""
    out = np.empty(analytic.shape, np.float32)
    count, length = analytic.shape
    for i in range(count):
        for j in range(length):
            z = analytic[i, j]
            out[i, j] = scale * np.sqrt(z.real * z.real + z.imag * z.imag)
        mean = np.float32(rows.part_total(out[i], 0, length, 1, _ZERO) / length)
        for j in range(length):
            out[i, j] -= mean
    return out


@compiled
def _lines(spectra, length, ranges):
    count = spectra.shape[0]
    out = np.zeros((count, len(ranges)), np.float32)
    for i in range(count):
        for line in range(len(ranges)):
            for k in range(ranges[line, 0], ranges[line, 1] + 1):
                out[i, line] = max(out[i, line], rows.hann_line(spectra[i], k) * 4 / length)
    return out
