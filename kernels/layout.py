"""The fixed choices that all twins of the window kernels share: what comes out, in which order, from where.

Bin k of a spectrum of n samples at rate f is the frequency k * f / n. Everything
here is plain integers, worked out once on the host, so twins cannot round apart.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.compiled import compiled

STATISTICS = ("rms", "peak", "crest", "kurtosis", "skewness", "shape", "impulse")
BANDS = 8
SHAPE = ("centroid", "spread", "entropy")
SPECTRAL = (*(f"band{number}" for number in range(1, BANDS + 1)), *SHAPE)

# A deviation below a few float32 steps of the mean is rounding, not vibration.
QUIET = 2.0**-22
SILENT = 1e-15  # powers of anything fainter leave float32

# A defect frequency is known to about this share: slip, load, contact angle.
LINE_TOLERANCE = 0.02


def band_edges(length: int) -> NDArray[np.int64]:
    """First bin of each band, and one past the last: 9 integers for a window of ``length``.

    Octaves: band 8 is the upper half of the spectrum up to and with Nyquist, band 7 the upper
    half of the rest, ...; band 1 is what lies below 1/128 of Nyquist. Together they are all bins.
    """
    nyquist = length / 2
    inner = [int(np.ceil(nyquist / 2**octave)) for octave in range(BANDS - 1, 0, -1)]
    return np.array([0, *inner, length // 2 + 1], np.int64)


def resonance_bins(length: int) -> tuple[int, int]:
    """[first, past last) bins of the band that is demodulated: a quarter to three quarters of Nyquist.

    Housings ring there when a bearing strikes; shaft orders lie below it. Its width is half of
    Nyquist, so the envelope comes at a quarter of the rate and shows up to an eighth of it unfolded.
    """
    return length // 8, length // 8 + length // 4


def envelope_bins(length: int) -> int:
    """How many bins the spectrum of that envelope has, each as wide as the window's own."""
    return (length // 4) // 2 + 1


def line_bins(frequencies: ArrayLike, *, rate_hz: float, length: int, bins: int) -> NDArray[np.int64]:
    """[m, 2] first and last of ``bins`` in which each frequency (Hz) may show; none if first > last.

    The first and the last bin of a spectrum are left out: a line needs a neighbour on each side.
    """
    wanted = np.array(frequencies, np.float64)
    found = np.empty((len(wanted), 2), np.int64)
    _line_bins(wanted, length / rate_hz, bins, found)
    return found


@compiled
def _line_bins(frequencies, scale, bins, found):
    for line in range(len(frequencies)):
        low = np.rint(frequencies[line] * scale * (1 - LINE_TOLERANCE))
        high = np.rint(frequencies[line] * scale * (1 + LINE_TOLERANCE))
        found[line, 0] = int(min(max(low, 1.0), bins))  # a shaft may race beyond all integers
        found[line, 1] = int(min(high, bins - 2.0))


def names(waveform: str, features: Sequence[str]) -> list[str]:
    return [f"{waveform}.{feature}" for feature in features]
