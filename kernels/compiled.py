"""Compile a function with Numba and keep the machine code where there is a place for it.

A daemon may have no place that it can write to; then it compiles at every start instead
of not starting.
"""

from collections.abc import Callable

from numba import njit

from kernels import machine_code

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
    with machine_code.kept() as place:
        try:
            return njit(cache=place, nogil=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return njit(nogil=True, **options)(function)
