"""What the threads of one block do together, in the memory that they share.

A barrier must be met by all threads of a block or by none, or the block hangs; the simulator
would not notice. So no barrier stands behind a condition on a thread's number, or in a loop
whose bounds depend on it; a test counts the barriers that each thread meets.
"""

# ruff: noqa: PLR0917  compiled code takes arguments by position only

from collections.abc import Callable

import numpy as np
from numba import cuda
from numba.core import config

u32 = np.uint32


def on_device(function: Callable) -> Callable:
    """``function`` (or what it was before Numba compiled it for the CPU) for use in kernels.

    Always inlined: only then does the compiler know which memory an array lies in, and an
    address takes 32 bits instead of 64.
    """
    options = {} if config.ENABLE_CUDASIM else {"forceinline": True}
    return cuda.jit(device=True, **options)(getattr(function, "py_func", function))


@on_device
def gather(m, at, sums, rows, bits, thread):
    """Add up each of ``rows`` rows of 2^bits numbers, one a thread, from m[at]; past ``sums``: the largest.

    What a row came to stands at its beginning. Before anything is written to the rows again, all
    threads have to have read it: a barrier that the caller sets.
    """
    cuda.syncthreads()
    left = bits
    while left > 0:
        kept = max(left - 4, 0)
        row = thread >> kept
        while row < rows:
            begin = at + (row << bits)
            place = begin + (thread & ((1 << kept) - 1))
            found = m[u32(place)]
            other = place + (1 << kept)
            while other < begin + (1 << left):
                found = found + m[u32(other)] if row < sums else max(found, m[u32(other)])
                other += 1 << kept
            m[u32(place)] = found
            row += 1 << (bits - kept)
        cuda.syncthreads()
        left = kept
