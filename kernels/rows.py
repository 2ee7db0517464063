"""The arithmetic of the window kernels, for one window: shared by the CPU and CUDA twins.

Functions of numbers serve both. Functions of rows are the CPU's: their loops run from 0
to the end of what they are given, because from anywhere else Numba allows for negative
indices, and then no compiler finds its way to vector lanes. Their sums are float32, so a
caller gives them ``BLOCK`` samples at a time and adds the blocks up in float64: that keeps
the digits, and a float64 costs twice the lanes. Samples are centred and scaled to 1 before
they are squared.
"""

import math

import numpy as np

from kernels.compiled import compiled, compiled_sum
from kernels.layout import QUIET, SILENT

ROOT_HALF = np.int32(0x3F3504F3)  # the bits of float32 sqrt(1/2)
MANTISSA, MANTISSA_BITS = np.int32(0x007FFFFF), np.int32(23)
# log(1 + f) = f - f^2 / 2 + f^3 * (these, the highest power first): Cephes, logf.c
LOG = tuple(
    np.float32(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)
LOG_2, ZERO, HALF, ONE = np.float32(math.log(2)), np.float32(0), np.float32(0.5), np.float32(1)
# A float32 is a sign and a magnitude, an int32 is not.
SIGN, MAGNITUDE, LEAST = np.int32(31), np.int32(0x7FFFFFFF), np.int32(-0x80000000)
BLOCK = 512  # terms of a float32 sum: its error stays below that of a sample


@compiled_sum
def total_and_range(row):
    """(sum in float64, least, largest) of float32 samples; the two last as ``ordered``.

    NaN sorts beyond the infinities, so no sample hides from the range.
    """
    total, low, high = 0.0, MAGNITUDE, LEAST
    for i in range(len(row)):
        total += row[i]
        place = ordered(row[i])
        low = min(low, place)
        high = max(high, place)
    return total, low, high


@compiled
def ordered(x):
    """The bits of a float32 as an int32 that sorts as x does; ``unordered`` is the way back.

    Numba finds the largest of integers in vector lanes, that of floats one by one.
    """
    bits = np.float32(x).view(np.int32)
    return np.int32(bits ^ ((bits >> SIGN) & MAGNITUDE))


@compiled
def unordered(place):
    return np.int32(place ^ ((place >> SIGN) & MAGNITUDE)).view(np.float32)


@compiled_sum
def total(row):
    """The sum in float64."""
    found = 0.0
    for i in range(len(row)):
        found += row[i]
    return found


@compiled
def deviation(x, mean, rest):
    """x less its mean, given as a float32 and the rest that it lacks: exact to the last digits of x."""
    return (x - mean) - rest


@compiled_sum
def centred_moments(row, mean, rest, scale, centred):
    """Fill ``centred``; the sums of |u|, u^2, u^3, u^4 with u = deviation * scale.

    Products, as a power costs ten times as much.
    """
    absolute, second, third, fourth = ZERO, ZERO, ZERO, ZERO
    for i in range(len(row)):
        x = deviation(row[i], mean, rest)
        centred[i] = x
        u = x * scale
        square = u * u
        absolute += abs(u)
        second += square
        third += square * u
        fourth += square * square
    return absolute, second, third, fourth


@compiled
def is_quiet(level, mean):
    """Is a deviation of ``level`` about ``mean`` nothing but rounding?"""
    return level <= max(QUIET * abs(mean), SILENT)


@compiled
def statistics(peak, absolute, second, third, fourth):
    """The seven statistics from the means of |u| .. u^4, u = x / peak; zeros for silence."""
    zero = peak * 0
    if peak <= 0:
        return zero, zero, zero, zero, zero, zero, zero
    rms = math.sqrt(second)
    return (
        rms * peak,
        peak,
        1 / rms,
        fourth / (second * second),
        third / (second * rms),
        rms / absolute,
        1 / absolute,
    )


@compiled_sum
def magnitudes(row, scale, out):
    """Fill ``out`` with the magnitude of each complex number, times ``scale``."""
    for j in range(len(row)):
        out[j] = scale * math.sqrt(row[j].real * row[j].real + row[j].imag * row[j].imag)


@compiled_sum
def powers(row, out):
    """Fill ``out`` with |X|^2 of each bin; their sum."""
    total = ZERO
    for k in range(len(row)):
        power = row[k].real * row[k].real + row[k].imag * row[k].imag
        out[k] = power
        total += power
    return total


@compiled_sum
def logarithm(x):
    """log(x) of a float32 >= 0 to its last digits, -88 for 0: arithmetic alone, hence in vector lanes.

    x is split into 2^e * m with m from sqrt(1/2) to sqrt(2); a call of the C library would cost
    more than all the other features of a spectrum together.
    """
    bits = np.int32(np.float32(x).view(np.int32) - ROOT_HALF)
    f = np.int32((bits & MANTISSA) + ROOT_HALF).view(np.float32) - ONE
    c = LOG
    p = (
        ((((((c[0] * f + c[1]) * f + c[2]) * f + c[3]) * f + c[4]) * f + c[5]) * f + c[6]) * f + c[7]
    ) * f + c[8]
    square = f * f
    return np.float32(bits >> MANTISSA_BITS) * LOG_2 + (f + (p * f * square - HALF * square))


@compiled_sum
def shape(power, first_bin, scale):
    """Sums of k * p and p * log(p) over bins k from ``first_bin``, p = power * scale."""
    first, information = ZERO, ZERO
    for k in range(len(power)):
        p = power[k] * scale
        first += p * np.float32(first_bin + k)
        information += p * logarithm(p)  # 0 for 0
    return first, information


@compiled_sum
def spread(power, first_bin, scale, centre):
    """Sum of (k - centre)^2 * p over bins k from ``first_bin``, p = power * scale."""
    total = ZERO
    for k in range(len(power)):
        away = np.float32(first_bin + k) - centre
        total += away * away * (power[k] * scale)
    return total


@compiled
def hann_line(row, k):
    """|X| of bin k as a Hann window would have made it: the sum of three bins."""
    real = row[k].real / 2 - (row[k - 1].real + row[k + 1].real) / 4
    imag = row[k].imag / 2 - (row[k - 1].imag + row[k + 1].imag) / 4
    return math.sqrt(real * real + imag * imag)
