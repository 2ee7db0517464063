"""What the kernels mean: plain NumPy in float64, written to be read, never to be fast.

Windows are float32 [m, n]: m windows of n samples each. The stages feed each other:
``centre`` -> ``spectrum`` -> ``spectral``, ``envelope``, ``lines``; ``features`` runs them all.
"""

from itertools import pairwise

import numpy as np

from kernels import layout

__all__ = ["centre", "envelope", "features", "lines", "spectral", "spectrum", "statistics"]


def features(windows, rate_hz, near, far):
    """[m, 18 + lines]: statistics, spectral, then the lines of the spectrum and of the envelope's.

    ``near`` and ``far``: the frequencies of those lines in Hz, in their order. A window in which a
    sample is NaN or infinite is NaN in every feature, and its neighbours are as without it.
    """
    length = windows.shape[1]
    sound = _sound(windows)
    centred = centre(np.where(sound, windows, 0.0))
    spectra = spectrum(centred)
    found = [statistics(centred), spectral(spectra, length, rate_hz)]
    for stack, samples, wanted in ((spectra, length, near), (envelope(spectra, length), length // 4, far)):
        ranges = layout.line_bins(wanted, rate_hz=rate_hz, length=length, bins=stack.shape[1])
        found.append(lines(stack, samples, ranges))
    return np.where(sound, np.concatenate(found, axis=1), np.nan)


def centre(windows):
    """Each window less its mean: a DC offset says nothing about vibration.

    Where the deviation is but rounding (``layout.QUIET``) or nothing, the window is silence: zeros.
    Where a sample is NaN or infinite it is all NaN.
    """
    sound = _sound(windows)
    windows = np.where(sound, windows, 0.0)
    mean = np.mean(windows, axis=1, dtype=np.float64, keepdims=True)
    deviation = windows - mean
    level = np.sqrt(np.mean(np.square(deviation), axis=1, keepdims=True))
    heard = level > np.maximum(layout.QUIET * np.abs(mean), layout.SILENT)
    return np.where(sound, np.where(heard, deviation, 0.0), np.nan)


def statistics(centred):
    """[m, 7], see ``layout.STATISTICS``; silence is all zeros.

    rms: the energy of the vibration. peak: the largest deviation. crest = peak / rms rises early
    in bearing wear, when impacts are sharp but rare; kurtosis (3 for Gaussian noise) likewise and
    steadier. skewness: strikes on one side. shape = rms / mean |x|, impulse = peak / mean |x|.
    Moments are the window's own (divided by n). Kurtosis: Dyer & Stewart, J. Mech. Design 100, 1978;
    crest and skewness: Heng & Nor, Applied Acoustics 53, 1998; shape and impulse: Lei, He & Zi,
    Expert Systems with Applications 35, 2008.
    """
    peak = np.abs(centred).max(axis=1)
    unit = centred / np.where(peak > 0, peak, 1.0)[:, None]
    absolute = np.mean(np.abs(unit), axis=1)
    second, third, fourth = (np.mean(unit**power, axis=1) for power in (2, 3, 4))
    rms = np.sqrt(second)
    return np.stack(
        [
            rms * peak,
            peak,
            _ratio(np.ones_like(rms), rms) * (peak > 0),
            _ratio(fourth, second**2),
            _ratio(third, second**1.5),
            _ratio(rms, absolute),
            _ratio(np.ones_like(rms), absolute) * (peak > 0),
        ],
        axis=1,
    )


def spectrum(centred):
    """[m, n // 2 + 1] complex, unscaled: the real FFT."""
    return np.fft.rfft(centred, axis=1)


def spectral(spectra, length, rate_hz):
    """[m, 11], see ``layout.SPECTRAL``: power in eight octave bands (together rms squared), then

    centroid and spread of the power in Hz, and its entropy: 0 for one line, 1 for the same in each bin.
    ``length``: samples of the window the spectra came from. Power of a bin: Parseval's theorem; centroid
    and spread: Peeters, "A large set of audio features", CUIDADO report, 2004; entropy over its largest
    value: Inouye et al., Electroencephalography and Clinical Neurophysiology 79, 1991.
    """
    power = _one_sided(np.abs(spectra) ** 2, length) / length**2
    edges = layout.band_edges(length)
    bands = [power[:, low:high].sum(axis=1) for low, high in pairwise(edges)]
    total = power.sum(axis=1)
    share = power / np.where(total > 0, total, 1.0)[:, None]
    frequency = np.arange(power.shape[1]) * (rate_hz / length)
    centroid = share @ frequency
    spread = np.sqrt(np.sum(share * (frequency - centroid[:, None]) ** 2, axis=1))
    logarithm = np.log(np.where(share > 0, share, 1.0))
    entropy = -np.sum(share * logarithm, axis=1) / max(np.log(power.shape[1]), 1.0)
    return np.stack([*bands, centroid, spread, entropy], axis=1)


def envelope(spectra, length):
    """[m, n // 8 + 1] complex: the spectrum of the envelope of the resonance band, unscaled.

    The one-sided band alone, back in time, is the analytic signal shifted to zero: its magnitude is
    the envelope, at a quarter of the rate. Bins are as wide as those of ``spectra``. Ho & Randall,
    "Optimisation of bearing diagnostic techniques using simulated and actual bearing fault signals",
    MSSP 14, 2000; why a defect shows there: McFadden & Smith, Journal of Sound and Vibration 96, 1984.
    """
    low, high = layout.resonance_bins(length)
    if high <= low:
        return np.zeros((len(spectra), 1), complex)
    magnitude = np.abs(np.fft.ifft(2 * spectra[:, low:high] * ((high - low) / length), axis=1))
    return np.fft.rfft(magnitude - magnitude.mean(axis=1, keepdims=True), axis=1)


def lines(spectra, length, ranges):
    """[m, l]: the amplitude (of a sine) of the strongest line in each bin range [low, high] of ``ranges``.

    Through a Hann window, applied in frequency as the sum of three bins (Harris, Proc. IEEE 66, 1978);
    ``length``: samples of the signal whose real FFT ``spectra`` are. An empty range is 0.
    """
    hann = np.zeros(spectra.shape)
    inner = spectra[:, 1:-1] / 2 - (spectra[:, :-2] + spectra[:, 2:]) / 4
    hann[:, 1:-1] = np.abs(inner) * 4 / length
    found = np.empty((len(spectra), len(ranges)))
    for line, (low, high) in enumerate(ranges):
        found[:, line] = hann[:, low : high + 1].max(axis=1, initial=0.0)
    return found


def _sound(windows):
    return np.isfinite(windows).all(axis=1, keepdims=True)


def _one_sided(power, length):
    """All bins but DC and, if ``length`` is even, Nyquist stand for a negative frequency too: twice."""
    weight = np.full(power.shape[1], 2.0)
    weight[0] = 1.0
    if length % 2 == 0:
        weight[-1] = 1.0
    return power * weight


def _ratio(above, below):
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
