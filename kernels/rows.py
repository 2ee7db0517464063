"""The arithmetic of the window kernels, for one window: shared by the CPU and CUDA twins.

Sums take the samples ``begin:end:step`` of a row: a CPU thread takes all of
them, a thread of a GPU block every so many, and the block adds the parts up.
``zero`` gives the type that sums have: float64 on a CPU, float32 on a GPU, where
float64 is many times slower; samples are centred and scaled to 1 before they are
squared, so that float32 suffices.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

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
LOG_2, HALF, ONE = np.float32(math.log(2)), np.float32(0.5), np.float32(1)


@compiled_sum
def part_total(row, begin, end, step, zero):
    total = zero
    for i in range(begin, end, step):
        total += row[i]
    return total


@compiled
def deviation(x, mean, rest):
    """x less its mean, given as a float32 and the rest that it lacks: exact to the last digits of x."""
    return (x - mean) - rest


@compiled_sum
def part_squares(row, begin, end, step, zero):
    total = zero
    for i in range(begin, end, step):
        total += row[i] * row[i]
    return total


@compiled_sum
def part_peak(row, begin, end, step):
    peak = np.float32(0)
    for i in range(begin, end, step):
        peak = max(peak, abs(row[i]))
    return peak


@compiled_sum
def part_moments(row, begin, end, step, scale, zero):
    """Sums of |u|, u^2, u^3, u^4 with u = x * scale: products, as a power costs ten times as much."""
    absolute, second, third, fourth = zero, zero, zero, zero
    for i in range(begin, end, step):
        u = row[i] * scale
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
def part_power(row, begin, end, step, zero):
    """Sum of |X|^2 over bins, each counted once."""
    total = zero
    for k in range(begin, end, step):
        total += row[k].real * row[k].real + row[k].imag * row[k].imag
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
def part_shape(row, begin, end, step, scale, zero):
    """Sums of p, k * p and p * log(p) over bins k, p = scale * |X|^2, each bin counted once."""
    total, first, information = zero, zero, zero
    for k in range(begin, end, step):
        p = (row[k].real * row[k].real + row[k].imag * row[k].imag) * scale
        total += p
        first += p * np.float32(k)
        information += p * logarithm(p)  # 0 for 0
    return total, first, information


@compiled_sum
def part_spread(row, begin, end, step, scale, centre, zero):
    """Sum of (k - centre)^2 * p over bins k, p = scale * |X|^2, each bin counted once."""
    total = zero
    for k in range(begin, end, step):
        away = np.float32(k) - centre
        total += away * away * ((row[k].real * row[k].real + row[k].imag * row[k].imag) * scale)
    return total


@compiled
def hann_line(row, k):
    """|X| of bin k as a Hann window would have made it: the sum of three bins."""
    real = row[k].real / 2 - (row[k - 1].real + row[k + 1].real) / 4
    imag = row[k].imag / 2 - (row[k - 1].imag + row[k + 1].imag) / 4
    return math.sqrt(real * real + imag * imag)
