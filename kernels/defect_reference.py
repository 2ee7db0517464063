"""What the kernels of bearing/1 mean: plain NumPy in float64, written to be read, never to be fast.

``reference.spectrum`` -> ``envelopes`` -> ``prominences``.
"""

import numpy as np

from kernels import defect_layout

__all__ = ["envelopes", "prominences"]


def envelopes(spectra, length):
    """[m, bands, k]: the power spectrum of the envelope of each band, relative to the envelope's mean.

    The one-sided band alone, back in time, is the analytic signal shifted to zero: its magnitude is the
    envelope. Less its mean and through a Hann window; a band that is silent beside the window is zeros.
    ``length``: samples of the windows whose real FFT ``spectra`` are.
    """
    level = np.sqrt(2 * np.sum(np.abs(spectra) ** 2, axis=1)) / length
    found = []
    for low, high in defect_layout.band_bins(length):
        magnitude = np.abs(np.fft.ifft(2 * spectra[:, low:high] * ((high - low) / length), axis=1))
        mean = magnitude.mean(axis=1)
        heard = mean > defect_layout.SILENT * level
        relative = magnitude / np.where(heard, mean, 1.0)[:, None] - 1.0
        windowed = relative * heard[:, None] * np.hanning(high - low + 1)[:-1]
        found.append(np.abs(np.fft.rfft(windowed, axis=1)) ** 2)
    return np.stack(found, axis=1)


def prominences(power, places):
    """[m, lines]: log10 of a line's power over its neighbourhood's, the mean over bands.

    ``power`` [m, bands, k]; ``places`` [lines, 2, 4]: see ``defect_layout.places``. A neighbourhood's power
    is its median as that of an exponential distribution, which lines in it do not lift. Of a pair of
    sidebands the mean of the two ratios counts. Noise alone gives about 0.4, as a line is the strongest of
    some bins; silence, and a line that has no place, 0.
    """
    found = [_prominence(power, own).mean(axis=1) for own in places]
    return np.stack(found, axis=1)


def _prominence(power, own):
    ratios = []
    for first, low, high, last in own:
        if first > last or high < low:
            continue
        around = np.concatenate([power[..., first : low - 1], power[..., high + 2 : last + 1]], axis=-1)
        if not around.shape[-1]:
            continue
        floor = np.median(around, axis=-1) / np.log(2)
        peak = power[..., low : high + 1].max(axis=-1)
        ratios.append((peak + defect_layout.FAINT) / (floor + defect_layout.FAINT))
    return np.log10(np.mean(ratios, axis=0)) if ratios else np.zeros(power.shape[:-1])
