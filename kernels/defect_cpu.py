"""The kernels of bearing/1 on one CPU core: compiled loops around SciPy's single-precision FFT."""

import math
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from kernels import cpu, defect_layout, defect_reference, machine_code, reference, rows
from kernels.bearing import BEARING_6205
from kernels.compiled import compiled
from kernels.errors import TwinError

__all__ = ["envelopes", "prominences", "warm"]

Power = NDArray[np.float32]

_ZERO = np.float64(0)
_LOG_2 = math.log(2)


def envelopes(spectra: NDArray[np.complex64], length: int) -> Power:
    """See ``defect_reference.envelopes``."""
    bands = defect_layout.band_bins(length)
    found = np.empty((len(spectra), len(bands), defect_layout.envelope_bins(length)), np.float32)
    hann = np.hanning(bands[0, 1] - bands[0, 0] + 1)[:-1].astype(np.float32)
    for band, (low, high) in enumerate(bands):
        analytic = fft.ifft(spectra[:, low:high], axis=1)
        windowed = _relative(analytic, np.float32(2 * (high - low) / length), _level(spectra, length), hann)
        _squares(fft.rfft(windowed, axis=1), found[:, band])
    return found


def prominences(power: Power, places: NDArray[np.int64]) -> NDArray[np.float32]:
    """See ``defect_reference.prominences``."""
    return _prominences(power, places)


def warm() -> None:
    """Compile everything and prove it on this machine; TwinError if a kernel disagrees with the reference."""
    rng = np.random.default_rng(5)
    strikes = 1 + np.sin(2 * np.pi * 107 * np.arange(4096) / 12_000)
    windows = (rng.normal(3.0, 1.0, (2, 4096)) * strikes).astype(np.float32)
    expected = _every_stage(reference, defect_reference, windows.astype(np.float64))
    got = _every_stage(cpu, sys.modules[__name__], windows)
    if not np.allclose(got, expected, atol=1e-3):
        worst = float(np.abs(got - expected).max())
        raise TwinError(
            f"compiled kernels differ from their reference by {worst:g}: delete {machine_code.folder()}"
        )


def _every_stage(twin, own, windows):
    _, orders = defect_layout.line_orders(BEARING_6205)
    places = defect_layout.places(orders, speed_hz=29.9, rate_hz=12_000.0, length=4096)
    return own.prominences(own.envelopes(twin.spectrum(twin.centre(windows)), 4096), places)


@compiled
def _level(spectra, length):
    """[m]: the rms of the windows, each bin counted twice."""
    out = np.empty(len(spectra))
    for i in range(len(spectra)):
        total = 0.0
        for k in range(spectra.shape[1]):
            z = spectra[i, k]
            total += z.real * z.real + z.imag * z.imag
        out[i] = math.sqrt(2 * total) / length
    return out


@compiled
def _relative(analytic, scale, level, hann):
    """[m, k] complex to float32: magnitude over its mean, less 1, through the window; silence is zeros."""
    out = np.zeros(analytic.shape, np.float32)
    count, length = analytic.shape
    for i in range(count):
        for j in range(length):
            z = analytic[i, j]
            out[i, j] = scale * np.sqrt(z.real * z.real + z.imag * z.imag)
        mean = rows.total(out[i]) / length
        heard = mean > defect_layout.SILENT * level[i]
        for j in range(length):
            out[i, j] = (out[i, j] / mean - 1.0) * hann[j] if heard else 0.0
    return out


@compiled
def _squares(spectra, out):
    for i in range(len(spectra)):
        for k in range(spectra.shape[1]):
            z = spectra[i, k]
            out[i, k] = z.real * z.real + z.imag * z.imag


@compiled
def _prominences(power, places):
    count, bands, _ = power.shape
    out = np.zeros((count, len(places)), np.float32)
    for i in range(count):
        for line in range(len(places)):
            total = 0.0
            for band in range(bands):
                total += _prominence(power[i, band], places[line])
            out[i, line] = total / bands
    return out


@compiled
def _prominence(row, own):
    total, found = 0.0, 0
    for place in range(len(own)):
        first, low, high, last = own[place]
        around = max(low - 1 - first, 0) + max(last - high - 1, 0)
        if first > last or high < low or around == 0:
            continue
        floor = _median(row, first, low - 1, high + 2, last + 1) / _LOG_2
        peak = _ZERO
        for k in range(low, high + 1):
            peak = max(peak, np.float64(row[k]))
        total += (peak + defect_layout.FAINT) / (floor + defect_layout.FAINT)
        found += 1
    return math.log10(total / found) if found else 0.0


@compiled
def _median(row, first, until, begin, end):
    """The median of the bins from ``first`` before ``until`` and from ``begin`` before ``end``."""
    left, right = max(until - first, 0), max(end - begin, 0)
    values = np.empty(left + right, np.float64)
    for k in range(left):
        values[k] = row[first + k]
    for k in range(right):
        values[left + k] = row[begin + k]
    return np.median(values)
