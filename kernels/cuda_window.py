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
ZERO, ONE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)
SILENT, LARGEST = np.float32(layout.SILENT), np.float32(3.4e38)
STATISTICS = len(layout.STATISTICS)
SOUND, SILENCE, UNSOUND = 0, 1, 2


deviation, is_quiet = on_device(rows.deviation), on_device(rows.is_quiet)
statistics = on_device(rows.statistics)


@on_device
def centred(m, total, stretch, stretches, gap, count, scratch, bits, thread):
    """(the mean, what the first attempt at it left over, the largest |deviation| from that) of samples.

    The mean of what is left after the first mean was taken off corrects it: two sums in
    float32 find it to the last digits that the samples have. ``total``: of this thread's samples,
    which lie in ``stretches`` of ``stretch`` each, ``gap`` apart.
    """
    threads = 1 << bits
    m[u32(scratch + thread)] = total
    gather(m, scratch, 1, 1, bits, thread)
    mean = m[u32(scratch)] / np.float32(count)
    cuda.syncthreads()
    total, loudest = ZERO, ZERO
    for part in range(stretches):
        for i in range((stretch + threads - 1) >> bits):
            j = (i << bits) + thread
            if j < stretch:
                away = m[u32(part * gap + j)] - mean
                total += away
                loudest = max(loudest, abs(away))
    m[u32(scratch + thread)] = total
    m[u32(scratch + threads + thread)] = loudest
    gather(m, scratch, 1, 2, bits, thread)
    rest, loudest = m[u32(scratch)] / np.float32(count), m[u32(scratch + threads)]
    cuda.syncthreads()
    return mean, rest, loudest


@on_device
def moments(m, mean, rest, loudest, stretch, stretches, gap, scratch, bits, thread):
    """Centre and scale samples where they lie, to u. Rows in ``scratch``: sums of |u| .. u^4, largest |u|."""
    threads = 1 << bits
    scale = ONE / loudest if loudest > SILENT else ZERO
    absolute, second, third, fourth, peak = ZERO, ZERO, ZERO, ZERO, ZERO
    for part in range(stretches):
        for i in range((stretch + threads - 1) >> bits):
            j = (i << bits) + thread
            if j < stretch:
                u = deviation(m[u32(part * gap + j)], mean, rest) * scale
                m[u32(part * gap + j)] = u
                square = u * u
                absolute += abs(u)
                second += square
                third += square * u
                fourth += square * square
                peak = max(peak, abs(u))
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
