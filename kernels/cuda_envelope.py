"""The spectrum of a window's envelope, from the window's own, by one block of threads, in shared memory.

The resonance band's bins (``layout.resonance_bins``), taken as a spectrum of their own and brought back
in time, are the analytic signal; its magnitude is the envelope. Forward transforms serve as well as
inverse ones: they give the envelope backwards, and so the same magnitudes of its spectrum's lines.
"""
# ruff: noqa: PLR0917  compiled code takes arguments by position only

import math
from collections.abc import Callable

import numpy as np
from numba import cuda

from kernels.cuda_block import on_device
from kernels.cuda_fourier import slow_magnitude, slow_real, transform_of, untangle

u32 = np.uint32
ZERO = np.float32(0)


def envelope_of(table_bits: int, threads: int) -> Callable:
    """For windows of 2^table_bits samples: ``run(re, im, table, at, other, thread)``, where the result lies.

    The window's spectrum lies at ``at``; ``other`` is the place that is free. What comes out is that of an
    envelope times half the window's length.
    """
    half, pairs_bits = 1 << (table_bits - 1), table_bits - 3
    analytic = transform_of(pairs_bits + 1, table_bits, threads)
    folded = transform_of(pairs_bits, table_bits, threads)

    @on_device
    def run(re, im, table, at, other, thread):
        found = analytic(re, im, table, at + (half >> 2), other, at, thread)
        free = at + other - found
        magnitudes_in_pairs(re, im, found, free, 1 << pairs_bits, thread, threads)
        found = folded(re, im, table, free, found, free, thread)
        untangle(re, im, found, pairs_bits, table, 2, thread, threads)
        centre_spectrum(re, found, thread)
        return found

    return run


@on_device
def slow_envelope(re, im, at, other, length, table, thread, threads):
    """As ``envelope_of``, for any length, in place; ``table`` is that of length // 4."""
    slow_magnitude(re, im, at + length // 8, other, length // 4, table, thread, threads)
    slow_real(re, im, other, at, length // 4, table, thread, threads)
    centre_spectrum(re, at, thread)


@on_device
def magnitudes_in_pairs(re, im, source, target, count, thread, threads):
    """|z| of 2 * count complex numbers, the even ones to ``re``, the odd ones to ``im``."""
    for i in range(max(count // threads, 1)):
        j = i * threads + thread
        if j < count:
            a, b = u32(source + 2 * j), u32(source + 2 * j + 1)
            re[u32(target + j)] = math.sqrt(re[a] * re[a] + im[a] * im[a])
            im[u32(target + j)] = math.sqrt(re[b] * re[b] + im[b] * im[b])
    cuda.syncthreads()


@on_device
def centre_spectrum(re, at, thread):
    """Take the mean off a signal where it all is in its spectrum: bin 0."""
    if thread == 0:
        re[u32(at)] = ZERO
    cuda.syncthreads()
