"""Compile a function with Numba and keep the machine code on disk where there is a place for it.

A daemon under systemd may have no writable cache; then it compiles at every
start instead of not starting.

Numba notices a change only in the file of the function it compiles, not in the
files that function calls: after editing ``rows``, delete ``__pycache__``.
``sets.warm`` refuses machine code that disagrees with the reference.
"""

from collections.abc import Callable

from numba import njit

# Sums may be reordered, which lets them run in vector lanes; never where the order of operations
# saves digits. NaN stays NaN.
REORDERED = frozenset({"reassoc", "contract", "nsz"})


def compiled(function: Callable) -> Callable:
    """Serial machine code that keeps every operation as written."""
    return _compile(function, fastmath=False)


def compiled_sum(function: Callable) -> Callable:
    """Serial machine code whose sums may be reordered."""
    return _compile(function, fastmath=set(REORDERED))


def _compile(function: Callable, **options: object) -> Callable:
    try:
        return njit(cache=True, nogil=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return njit(nogil=True, **options)(function)
