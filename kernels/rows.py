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
def part_shape(row, begin, end, step, scale, zero):
    """Sums of p, k * p and p * log(p) over bins k, p = scale * |X|^2, each bin counted once."""
    total, first, information = zero, zero, zero
    for k in range(begin, end, step):
        p = (row[k].real * row[k].real + row[k].imag * row[k].imag) * scale
        total += p
        first += p * np.float32(k)
        information += p * math.log(p) if p > 0 else zero
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
