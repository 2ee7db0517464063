"""The kernels: all features of a window in one launch, each sample read from the device's memory once.

A block takes one window: block (r, c) the c-th of row r, whose features go side by side to
out[column + r * stride + c * width], such as an engine's input. A window in which a sample is
NaN, infinite or too loud for float32 powers is NaN throughout. The first ``near`` of ``count`` ``ranges``
are lines of the spectrum, the others of the envelope's; ``per_bin``: Hz.

A kernel is made for one length and 2^bits threads: what is known as it is compiled is no
arithmetic of every thread.
"""
# ruff: noqa: PLR0917  a launch takes arguments by position only

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import cuda, float32

from kernels import layout
from kernels.cuda_block import on_device
from kernels.cuda_envelope import envelope_of, slow_envelope
from kernels.cuda_fourier import slow_real, transform_of, untangle
from kernels.cuda_spectrum import lines, spectral_of
from kernels.cuda_window import SOUND, centred, filled, judged, moments

STATISTICS = len(layout.STATISTICS)
LINES = STATISTICS + len(layout.SPECTRAL)  # where they begin
u32 = np.uint32
ZERO, HIGH = np.float32(0), np.uint64(32)


@cache
def fast(table_bits: int, bits: int) -> Callable:
    """For windows of 2^table_bits samples, 64 or more: uint64 [m, n / 2], samples in pairs, each read as one.

    ``table`` is that of n.
    """
    threads, half_bits = 1 << bits, table_bits - 1
    half, quarter = 1 << half_bits, 1 << (half_bits - 1)
    gap = half + 1
    away, scratch = 2 * gap, 4 * gap
    whole = transform_of(half_bits, table_bits, threads)
    spectral, envelope = spectral_of(2 * half, bits), envelope_of(table_bits, threads)
    near_scale, far_scale = np.float32(4 / (2 * half)), np.float32(4 / quarter * 2 / (2 * half))

    @cuda.jit
    def run(windows, table, ranges, near, count, per_bin, out, column, stride):
        m = cuda.shared.array(0, float32)
        re, im = m, m[gap:]
        thread = cuda.threadIdx.x & (threads - 1)  # which tells the compiler that there are no more
        index = cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y
        where = column + cuda.blockIdx.x * stride + cuda.blockIdx.y * (LINES + count)
        total = _pairs(windows, index, re, im, half, thread, threads)
        mean, rest, loudest = centred(m, total, half, 2, gap, 2 * half, scratch, bits, thread)
        moments(m, mean, rest, loudest, half, 2, gap, scratch, bits, thread)
        verdict = judged(m, mean, loudest, 2 * half, scratch, bits, out, where, thread)
        if verdict != SOUND:
            filled(out, where, LINES + count, verdict, thread, threads)
            return
        at = whole(re, im, table, 0, away, 0, thread)
        untangle(re, im, at, half_bits, table, 0, thread, threads)
        spectral(m, re, im, at, loudest, per_bin, scratch, out, where + STATISTICS, thread)
        if count == 0:
            return
        where += LINES
        lines(m, re, im, at, ranges, 0, near, near_scale * loudest, scratch, out, where, thread, threads)
        at = envelope(re, im, table, at, away - at, thread)
        lines(m, re, im, at, ranges, near, count, far_scale * loudest, scratch, out, where, thread, threads)

    return run


@cache
def plain(length: int, bits: int) -> Callable:
    """For windows of any length: float32 [m, n]; ``table`` is that of n, ``slow`` that of n // 4."""
    threads, quarter, gap = 1 << bits, length // 4, length // 2 + 1
    away, scratch = 2 * gap, 4 * gap
    spectral = spectral_of(length, bits)
    near_scale, far_scale = np.float32(4 / length), np.float32(4 / max(quarter, 1) * 2 / length)

    @cuda.jit
    def run(windows, table, slow, ranges, near, count, per_bin, out, column, stride):
        m = cuda.shared.array(0, float32)
        re, im = m, m[gap:]
        thread = cuda.threadIdx.x & (threads - 1)
        index = cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y
        where = column + cuda.blockIdx.x * stride + cuda.blockIdx.y * (LINES + count)
        total = ZERO
        for i in range((length + threads - 1) >> bits):
            j = (i << bits) + thread
            if j < length:
                x = windows[u32(index), u32(j)]
                re[u32(j)] = x
                total += x
        mean, rest, loudest = centred(m, total, length, 1, gap, length, scratch, bits, thread)
        moments(m, mean, rest, loudest, length, 1, gap, scratch, bits, thread)
        verdict = judged(m, mean, loudest, length, scratch, bits, out, where, thread)
        if verdict != SOUND:
            filled(out, where, LINES + count, verdict, thread, threads)
            return
        slow_real(re, im, 0, away, length, table, thread, threads)
        spectral(m, re, im, away, loudest, per_bin, scratch, out, where + STATISTICS, thread)
        if count == 0:
            return
        where += LINES
        lines(m, re, im, away, ranges, 0, near, near_scale * loudest, scratch, out, where, thread, threads)
        slow_envelope(re, im, away, 0, length, slow, thread, threads)
        lines(m, re, im, away, ranges, near, count, far_scale * loudest, scratch, out, where, thread, threads)

    return run


@on_device
def _pairs(windows, index, re, im, count, thread, threads):
    """Read ``count`` pairs, the even samples to ``re``, the odd ones to ``im``; the sum of this thread's."""
    total = ZERO
    for i in range(max(count // threads, 1)):
        j = i * threads + thread
        if j < count:
            pair = windows[u32(index), u32(j)]
            x, y = np.uint32(pair).view(np.float32), np.uint32(pair >> HIGH).view(np.float32)
            re[u32(j)], im[u32(j)] = x, y
            total += x + y
    return total
