"""The stages of one window's features, by one block of threads, in float32, in shared memory.

Samples are centred and scaled to 1 where they lie, so that all that follows is as exact for a
faint signal as for a loud one; ``loudest`` scales the features back. The arithmetic of single
numbers is that of ``rows``, as on a CPU.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

import math

import numpy as np
from numba import cuda

from kernels import layout, rows
from kernels.cuda_block import gather, on_device

u32 = np.uint32
ZERO, HALF, QUARTER, ONE, NAN = (
    np.float32(0),
    np.float32(0.5),
    np.float32(0.25),
    np.float32(1),
    np.float32(np.nan),
)
SILENT, LARGEST = np.float32(layout.SILENT), np.float32(3.4e38)
BANDS, STATISTICS = layout.BANDS, len(layout.STATISTICS)
ROOM = BANDS + 2  # rows of partial sums, one a thread, that a stage needs at most
SOUND, SILENCE, UNSOUND = 0, 1, 2
LANES_BITS = 3  # threads a line

deviation, is_quiet = on_device(rows.deviation), on_device(rows.is_quiet)
statistics, logarithm = on_device(rows.statistics), on_device(rows.logarithm)


@on_device
def centred(m, total, stretch, stretches, gap, count, scratch, bits, thread):
    """Centre and scale samples: (mean, what was the largest |deviation| before the rest was taken off).

    The mean of what is left after the first mean was taken off corrects it: two sums in
    float32 find it to the last digits that the samples have. ``total``: this thread's samples.
    """
    threads = 1 << bits
    m[u32(scratch + thread)] = total
    gather(m, scratch, 1, 1, bits, thread)
    mean = m[u32(scratch)] / np.float32(count)
    cuda.syncthreads()
    total, loudest = ZERO, ZERO
    for part in range(stretches):
        j = part * gap + thread
        while j < part * gap + stretch:
            away = m[u32(j)] - mean
            total += away
            loudest = max(loudest, abs(away))
            j += threads
    m[u32(scratch + thread)] = total
    m[u32(scratch + threads + thread)] = loudest
    gather(m, scratch, 1, 2, bits, thread)
    rest, loudest = m[u32(scratch)] / np.float32(count), m[u32(scratch + threads)]
    cuda.syncthreads()
    scale = ONE / loudest if loudest > SILENT else ZERO
    for part in range(stretches):
        j = part * gap + thread
        while j < part * gap + stretch:
            m[u32(j)] = deviation(m[u32(j)], mean, rest) * scale
            j += threads
    return mean, loudest


@on_device
def moments(m, stretch, stretches, gap, scratch, bits, thread):
    """Rows in ``scratch``: the sums of |u|, u^2, u^3, u^4 and the largest |u| of this thread's samples u."""
    threads = 1 << bits
    absolute, second, third, fourth, peak = ZERO, ZERO, ZERO, ZERO, ZERO
    for part in range(stretches):
        j = part * gap + thread
        while j < part * gap + stretch:
            u = m[u32(j)]
            square = u * u
            absolute += abs(u)
            second += square
            third += square * u
            fourth += square * square
            peak = max(peak, abs(u))
            j += threads
    m[u32(scratch + thread)] = absolute
    m[u32(scratch + threads + thread)] = second
    m[u32(scratch + 2 * threads + thread)] = third
    m[u32(scratch + 3 * threads + thread)] = fourth
    m[u32(scratch + 4 * threads + thread)] = peak
    gather(m, scratch, 4, 5, bits, thread)


@on_device
def judged(m, mean, loudest, count, scratch, bits, out, where, thread):
    """SOUND, SILENCE or UNSOUND, the same to all threads; a sound window's statistics are written."""
    threads = 1 << bits
    if thread == 0:
        verdict = UNSOUND
        if mean - mean == ZERO and loudest * loudest <= LARGEST:  # neither for NaN
            second = m[u32(scratch + threads)] / np.float32(count)
            verdict = SILENCE
            if loudest > SILENT and not is_quiet(loudest * math.sqrt(second), mean):
                verdict = SOUND
                _write_statistics(m, second, loudest, count, scratch, threads, out, where)
        m[u32(scratch + 5 * threads)] = np.float32(verdict)
    cuda.syncthreads()
    verdict = m[u32(scratch + 5 * threads)]
    cuda.syncthreads()
    return verdict


@on_device
def _write_statistics(m, second, loudest, count, scratch, threads, out, where):
    peak, each = m[u32(scratch + 4 * threads)], ONE / np.float32(count)
    unit = ONE / peak
    found = statistics(
        peak * loudest,
        m[u32(scratch)] * each * unit,
        second * unit * unit,
        m[u32(scratch + 2 * threads)] * each * unit * unit * unit,
        m[u32(scratch + 3 * threads)] * each * unit * unit * unit * unit,
    )
    for j in range(STATISTICS):
        out[u32(where + j)] = found[j]


@on_device
def filled(out, where, width, verdict, thread, threads):
    """A silent window is all zeros, an unsound one all NaN."""
    j = thread
    while j < width:
        out[u32(where + j)] = ZERO if verdict == SILENCE else NAN
        j += threads


@on_device
def power(re, im, at, k, last, norm):
    """Share of the power in bin k: all bins but the first and ``last`` stand for a negative frequency too."""
    i = u32(at + k)
    found = (re[i] * re[i] + im[i] * im[i]) * norm
    return found if k in (0, last) else found + found


@on_device
def bands(m, re, im, at, edges, last, norm, scratch, bits, thread):
    """Rows in ``scratch``: the power in each band, then the sums of k * p and p * log(p) over bins k."""
    threads = 1 << bits
    first, information = ZERO, ZERO
    for band in range(BANDS):
        found, k, end = ZERO, edges[band] + thread, edges[band + 1]
        while k < end:
            p = power(re, im, at, k, last, norm)
            found += p
            first += p * np.float32(k)
            information += p * logarithm(p)
            k += threads
        m[u32(scratch + band * threads + thread)] = found
    m[u32(scratch + BANDS * threads + thread)] = first
    m[u32(scratch + (BANDS + 1) * threads + thread)] = information
    gather(m, scratch, BANDS + 2, BANDS + 2, bits, thread)


@on_device
def spectral(m, re, im, at, edges, last, norm, loudest, per_bin, per_nat, scratch, bits, out, where, thread):
    """Write bands, centroid, spread and entropy. ``last``: the bin of Nyquist, if there is one."""
    threads = 1 << bits
    bands(m, re, im, at, edges, last, norm, scratch, bits, thread)
    total = ZERO
    for band in range(BANDS):
        total += m[u32(scratch + band * threads)]
    first = m[u32(scratch + BANDS * threads)] / total
    information = m[u32(scratch + (BANDS + 1) * threads)] / total
    k = thread
    while k < BANDS:
        out[u32(where + k)] = m[u32(scratch + k * threads)] * loudest * loudest
        k += threads
    cuda.syncthreads()
    second, k, end = ZERO, thread, edges[BANDS]
    while k < end:
        away = np.float32(k) - first
        second += away * away * power(re, im, at, k, last, norm)
        k += threads
    m[u32(scratch + thread)] = second
    gather(m, scratch, 1, 1, bits, thread)
    if thread == 0:
        out[u32(where + BANDS)] = first * per_bin
        out[u32(where + BANDS + 1)] = math.sqrt(m[u32(scratch)] / total) * per_bin
        out[u32(where + BANDS + 2)] = (logarithm(total) - information) * per_nat
    cuda.syncthreads()


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
