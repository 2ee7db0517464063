"""The fixed choices of bearing/1 that its twins share: which lines, in which bands, beside which neighbours.

Everything is plain integers, worked out once on the host, so twins cannot round apart.
A line is looked for in the spectrum of an envelope; how strong it is counts only beside
its neighbourhood, because levels and resonances differ from machine to machine while the
orders at which a bearing strikes do not (Randall & Antoni, MSSP 25, 2011; Smith & Randall,
"Rolling element bearing diagnostics using the Case Western Reserve University data", MSSP 64-65, 2015).
"""

import numpy as np
from numpy.typing import NDArray

from kernels.bearing import Bearing

HARMONICS = 3
SIDEBANDS = 2  # harmonics of a defect that are looked at for sidebands
TOLERANCE = 0.01  # share of its frequency by which slip moves a line
REACH = 0.6  # orders to either side that are the neighbourhood: less than the next sideband of the shaft

# The bands that are demodulated, in sixteenths of the Nyquist frequency: each a quarter wide, half
# overlapping. Resonances of housings lie anywhere above the orders of the shaft.
BANDS = ((1, 5), (3, 7), (5, 9), (7, 11), (9, 13))
# Power in the spectrum of an envelope of mean 1: rounding lies below it, noise thousands of times above.
FAINT = 0.01
SILENT = 1e-5  # of the rms of a window: a band below it holds nothing that 16 bits could tell


def line_orders(bearing: Bearing) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the lines, and [lines, 2] orders: of a pair of sidebands two, else one and NaN.

    A spall of the inner race turns with the shaft, which modulates its strikes; one of a ball with the cage.
    """
    spin = bearing.ball_spin
    found: list[tuple[str, float, float]] = []
    for name, order, around in (
        ("bpfo", bearing.outer_race, 1.0),
        ("bpfi", bearing.inner_race, 1.0),
        ("2bsf", 2 * spin, bearing.cage),
    ):
        found += [(f"{name}_{n}x", n * order, np.nan) for n in range(1, HARMONICS + 1)]
        found += [
            (f"{name}_{n}x_sides", n * order - around, n * order + around) for n in range(1, SIDEBANDS + 1)
        ]
    found += [("bsf", spin, np.nan), ("ftf", bearing.cage, np.nan), ("1x", 1.0, np.nan), ("2x", 2.0, np.nan)]
    return tuple(name for name, _, _ in found), np.array([orders for _, *orders in found])


def band_bins(length: int) -> NDArray[np.int64]:
    """[bands, 2] first bin, and one past the last, of each band of a window; all are equally wide."""
    return np.array(BANDS, np.int64) * (length // 32)


def envelope_bins(length: int) -> int:
    """How many bins the spectrum of an envelope has, each as wide as the window's own."""
    return 2 * (length // 32) + 1


def places(orders: NDArray[np.float64], *, speed_hz: float, rate_hz: float, length: int) -> NDArray[np.int64]:
    """[lines, 2, 4] bins: first of the neighbourhood, first and last of the line, last of it all.

    The bin next to a line belongs to neither, as a Hann window smears it. First after last where there
    is no such place: none in ``orders``, a shaft that stands, a frequency beyond the envelope's spectrum.
    """
    bins = envelope_bins(length)
    scale = abs(speed_hz) * length / rate_hz
    middle = np.nan_to_num(np.abs(orders) * scale)
    low = np.maximum(np.floor(middle * (1 - TOLERANCE)), 2)
    high = np.maximum(np.ceil(middle * (1 + TOLERANCE)), low)
    reach = np.rint(REACH * scale)
    found = np.stack([np.maximum(low - reach, 2), low, high, np.minimum(high + reach, bins - 1)], axis=-1)
    found[(middle < 1) | (high > bins - 2)] = (0, 1, 0, 0)
    return found.astype(np.int64)
