"""The features of one window's spectrum, by one block of threads, in float32, in shared memory.

The spectrum is that of samples scaled to 1; ``loudest`` scales its features back.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

import math
from collections.abc import Callable

import numpy as np
from numba import cuda

from kernels import layout, rows
from kernels.cuda_block import gather, on_device

u32 = np.uint32
ZERO, HALF, QUARTER = np.float32(0), np.float32(0.5), np.float32(0.25)
BANDS = layout.BANDS
LANES_BITS = 3  # threads a line

logarithm = on_device(rows.logarithm)


@on_device
def power(re, im, at, k, last, norm):
    """Share of the power in bin k: all bins but the first and ``last`` stand for a negative frequency too."""
    i = u32(at + k)
    found = (re[i] * re[i] + im[i] * im[i]) * norm
    return found if k in (0, last) else found + found


def nyquist(length: int) -> int:
    """Its bin, if it has one of its own; else the first, which is as single."""
    return length // 2 if length % 2 == 0 else 0


def bands_of(length: int, bits: int, band: int = 0) -> Callable:
    """For a kernel of 2^bits threads: fills a row of ``scratch`` for each band from ``band`` on: its power.

    ``run(m, re, im, at, norm, first, information, scratch, thread)`` gives ``first`` and ``information`` with
    this thread's sums of k * p and p * log(p) over bins k. Which bins it has is known as it is compiled.
    """
    low, high = (int(edge) for edge in layout.band_edges(length)[band : band + 2])
    begin, end, last = low >> bits, (high + (1 << bits) - 1) >> bits, nyquist(length)

    @on_device
    def run(m, re, im, at, norm, first, information, scratch, thread):
        found = ZERO
        for i in range(begin, end):
            k = (i << bits) + thread
            if low <= k < high:
                p = power(re, im, at, k, last, norm)
                found += p
                first += p * np.float32(k)
                information += p * logarithm(p)
        m[u32(scratch + (band << bits) + thread)] = found
        return first, information

    if band == BANDS - 1:
        return run
    rest = bands_of(length, bits, band + 1)

    @on_device
    def run_all(m, re, im, at, norm, first, information, scratch, thread):
        first, information = run(m, re, im, at, norm, first, information, scratch, thread)
        return rest(m, re, im, at, norm, first, information, scratch, thread)

    return run_all


def spectral_of(length: int, bits: int) -> Callable:
    """For a kernel of 2^bits threads: writes bands, centroid, spread and entropy of a window of ``length``.

    ``run(m, re, im, at, loudest, per_bin, scratch, out, where, thread)``
    """
    bands, last, bins, threads = bands_of(length, bits), nyquist(length), length // 2 + 1, 1 << bits
    norm, per_nat = np.float32(1 / length**2), np.float32(1 / max(math.log(bins), 1.0))

    @on_device
    def run(m, re, im, at, loudest, per_bin, scratch, out, where, thread):
        first, information = bands(m, re, im, at, norm, ZERO, ZERO, scratch, thread)
        m[u32(scratch + BANDS * threads + thread)] = first
        m[u32(scratch + (BANDS + 1) * threads + thread)] = information
        gather(m, scratch, BANDS + 2, BANDS + 2, bits, thread)
        total = ZERO
        for band in range(BANDS):
            total += m[u32(scratch + band * threads)]
        first = m[u32(scratch + BANDS * threads)] / total
        information = m[u32(scratch + (BANDS + 1) * threads)] / total
        if thread < BANDS:
            out[u32(where + thread)] = m[u32(scratch + thread * threads)] * loudest * loudest
        cuda.syncthreads()
        second = ZERO
        for i in range((bins + threads - 1) >> bits):
            k = (i << bits) + thread
            if k < bins:
                away = np.float32(k) - first
                second += away * away * power(re, im, at, k, last, norm)
        m[u32(scratch + thread)] = second
        gather(m, scratch, 1, 1, bits, thread)
        if thread == 0:
            out[u32(where + BANDS)] = first * per_bin
            out[u32(where + BANDS + 1)] = math.sqrt(m[u32(scratch)] / total) * per_bin
            out[u32(where + BANDS + 2)] = (logarithm(total) - information) * per_nat
        cuda.syncthreads()

    return run


@on_device
def hann_power(re, im, i):
    """|X|^2 of a bin as a Hann window would have made it: see ``rows.hann_line``."""
    before, after = u32(i - 1), u32(i + 1)
    x = HALF * re[u32(i)] - QUARTER * (re[before] + re[after])
    y = HALF * im[u32(i)] - QUARTER * (im[before] + im[after])
    return x * x + y * y


@on_device
def lines(m, re, im, at, ranges, begin, end, factor, scratch, out, where, thread, threads):
    """Write the amplitude of the strongest line in each range [low, high] of bins, ``begin`` to ``end``."""
    lanes = 1 << LANES_BITS
    job = thread
    while job < (end - begin) << LANES_BITS:
        line, strongest = begin + (job >> LANES_BITS), ZERO
        k, high = ranges[line, 0] + (job & (lanes - 1)), ranges[line, 1]
        while k <= high:
            strongest = max(strongest, hann_power(re, im, at + k))
            k += lanes
        m[u32(scratch + job)] = strongest
        job += threads
    cuda.syncthreads()
    line = thread
    while line < end - begin:
        strongest = ZERO
        for lane in range(lanes):
            strongest = max(strongest, m[u32(scratch + (line << LANES_BITS) + lane)])
        out[u32(where + begin + line)] = math.sqrt(strongest) * factor
        line += threads
    cuda.syncthreads()
