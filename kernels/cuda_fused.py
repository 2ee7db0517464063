"""The kernels: all features of a window in one launch, each sample read from the device's memory once.

A block takes one window: block (r, c) the c-th of row r, whose features go side by side to
out[column + r * stride + c * width], such as an engine's input. A window in which a sample is
NaN, infinite or too loud for float32 powers is NaN throughout.
"""
# ruff: noqa: PLR0917  a launch takes arguments by position only

import math

import numpy as np
from numba import cuda, float32

from kernels import layout
from kernels.cuda_block import on_device
from kernels.cuda_fourier import slow_magnitude, slow_real, transform, untangle
from kernels.cuda_window import SOUND, centred, filled, judged, lines, moments, spectral

BANDS, STATISTICS = layout.BANDS, len(layout.STATISTICS)
LINES = STATISTICS + len(layout.SPECTRAL)  # where they begin
u32 = np.uint32
ZERO, ONE, TWO, FOUR = np.float32(0), np.float32(1), np.float32(2), np.float32(4)


@cuda.jit
def fast(windows, table, edges, ranges, near, per_bin, per_nat, bits, table_bits, out, column, stride):
    """``windows``: complex64 [m, n / 2], samples in pairs, n = 2^table_bits; ``ranges``: near lines, then far.

    2^bits threads a block.
    """
    m = cuda.shared.array(0, float32)
    thread, threads = cuda.threadIdx.x, 1 << bits
    index = cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y
    half_bits, half = table_bits - 1, 1 << (table_bits - 1)
    gap = half + 1
    home, away, scratch = 0, 2 * gap, 4 * gap
    re, im = m, m[gap:]
    where = column + cuda.blockIdx.x * stride + cuda.blockIdx.y * (LINES + ranges.shape[0])

    total = ZERO
    j = thread
    while j < half:
        pair = windows[u32(index), u32(j)]
        re[u32(j)], im[u32(j)] = pair.real, pair.imag
        total += pair.real + pair.imag
        j += threads
    mean, loudest = centred(m, total, half, 2, gap, 2 * half, scratch, bits, thread)
    moments(m, half, 2, gap, scratch, bits, thread)
    verdict = judged(m, mean, loudest, 2 * half, scratch, bits, out, where, thread)
    if verdict != SOUND:
        filled(out, where, LINES + ranges.shape[0], verdict, thread, threads)
        return

    each = ONE / np.float32(2 * half)
    at = transform(re, im, home, home, away, half_bits, table, table_bits, thread, threads)
    untangle(re, im, at, half_bits, table, 0, thread, threads)
    spectral(
        m, re, im, at, edges, half, each * each, loudest, per_bin, per_nat,
        scratch, bits, out, where + STATISTICS, thread,
    )  # fmt: skip
    if ranges.shape[0] == 0:
        return
    lines(m, re, im, at, ranges, 0, near, FOUR * each * loudest, scratch, out, where + LINES, thread, threads)

    quarter = half >> 1  # samples of the envelope: the transform of half the spectrum's bins
    other = away if at == home else home
    found = transform(re, im, at + (half >> 2), at, other, half_bits - 1, table, table_bits, thread, threads)
    other = away if found == home else home
    j = thread
    while j < quarter >> 1:
        a, b = u32(found + 2 * j), u32(found + 2 * j + 1)
        re[u32(other + j)] = math.sqrt(re[a] * re[a] + im[a] * im[a])
        im[u32(other + j)] = math.sqrt(re[b] * re[b] + im[b] * im[b])
        j += threads
    cuda.syncthreads()
    at = transform(re, im, other, other, found, half_bits - 2, table, table_bits, thread, threads)
    untangle(re, im, at, half_bits - 2, table, 2, thread, threads)
    _centre_spectrum(re, at, thread)
    factor = FOUR / np.float32(quarter) * TWO * each * loudest
    lines(m, re, im, at, ranges, near, ranges.shape[0], factor, scratch, out, where + LINES, thread, threads)


@cuda.jit
def plain(windows, table, slow, edges, ranges, near, per_bin, per_nat, bits, out, column, stride):
    """``windows``: float32 [m, n], any n; ``table`` is that of n, ``slow`` that of n // 4."""
    m = cuda.shared.array(0, float32)
    thread, threads = cuda.threadIdx.x, 1 << bits
    index = cuda.blockIdx.x * cuda.gridDim.y + cuda.blockIdx.y
    count, quarter = windows.shape[1], slow.shape[1]
    gap = count // 2 + 1
    home, away, scratch = 0, 2 * gap, 4 * gap
    re, im = m, m[gap:]
    where = column + cuda.blockIdx.x * stride + cuda.blockIdx.y * (LINES + ranges.shape[0])

    total = ZERO
    j = thread
    while j < count:
        x = windows[u32(index), u32(j)]
        re[u32(j)] = x
        total += x
        j += threads
    mean, loudest = centred(m, total, count, 1, gap, count, scratch, bits, thread)
    moments(m, count, 1, gap, scratch, bits, thread)
    verdict = judged(m, mean, loudest, count, scratch, bits, out, where, thread)
    if verdict != SOUND:
        filled(out, where, LINES + ranges.shape[0], verdict, thread, threads)
        return

    each = ONE / np.float32(count)
    slow_real(re, im, home, away, count, table, thread, threads)
    last = gap - 1 if count & 1 == 0 else 0
    spectral(
        m, re, im, away, edges, last, each * each, loudest, per_bin, per_nat,
        scratch, bits, out, where + STATISTICS, thread,
    )  # fmt: skip
    if ranges.shape[0] == 0:
        return
    lines(
        m, re, im, away, ranges, 0, near, FOUR * each * loudest, scratch, out, where + LINES, thread, threads
    )

    slow_magnitude(re, im, away + count // 8, home, quarter, slow, thread, threads)
    slow_real(re, im, home, away, quarter, slow, thread, threads)
    _centre_spectrum(re, away, thread)
    factor = FOUR / np.float32(max(quarter, 1)) * TWO * each * loudest
    lines(
        m, re, im, away, ranges, near, ranges.shape[0], factor, scratch, out, where + LINES, thread, threads
    )


@on_device
def _centre_spectrum(re, at, thread):
    """Take the mean off a signal where it all is in its spectrum: bin 0."""
    if thread == 0:
        re[u32(at)] = ZERO
    cuda.syncthreads()
