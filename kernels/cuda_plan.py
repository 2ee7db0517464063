"""What a launch needs besides windows: tables, made in float64, how many threads, how much memory."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels import layout
from kernels.errors import KernelInputError

FAST_FROM = 64  # samples; below, and for other lengths than powers of two, the plain kernel computes
MOST_THREADS_BITS, LEAST_THREADS_BITS = 9, 5
ROOM = layout.BANDS + 2  # numbers a thread has to itself: the rows that ``cuda_spectrum`` adds up
LINE_ROOM = 8  # numbers a line, see ``cuda_spectrum.LANES_BITS``


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """For windows of ``length`` samples at one rate; its arrays are the host's."""

    length: int
    fast: bool  # by FFT, else by n^2 products
    thread_bits: int
    shared_bytes: int
    table: NDArray[np.float32]  # [2, n / 2] if fast, else [2, n]: cos and -sin
    slow_table: NDArray[np.float32]  # [2, n // 4 or 1]; unused if fast
    per_bin: np.float32  # Hz

    @property
    def threads(self) -> int:
        return 1 << self.thread_bits


def make_plan(
    *, length: int, rate_hz: float, lines: int, shared_limit: int, thread_bits: int | None = None
) -> Plan:
    """``shared_limit``: bytes a block may have. KernelInputError for a length that does not fit."""
    if length < 1:
        raise KernelInputError("window length", length, "at least 1 sample")
    if not (rate_hz > 0 and math.isfinite(rate_hz)):
        raise KernelInputError("rate", rate_hz, "a sampling rate above 0 Hz")
    bins = length // 2 + 1
    fast = length >= FAST_FROM and length & (length - 1) == 0
    bits = _thread_bits(length, fast=fast) if thread_bits is None else thread_bits
    shared = 4 * (4 * bins + max(ROOM << bits, LINE_ROOM * lines))
    if shared > shared_limit:
        wanted = (
            f"a window that fits {shared_limit} bytes of shared memory (use the CPU twin for longer ones)"
        )
        raise KernelInputError("window length", f"{length}, which takes {shared} bytes", wanted)
    return Plan(
        length=length,
        fast=fast,
        thread_bits=bits,
        shared_bytes=shared,
        table=turns(length, length // 2 if fast else length),
        slow_table=turns(max(length // 4, 1), max(length // 4, 1)),
        per_bin=np.float32(rate_hz / length),
    )


def turns(whole: int, count: int) -> NDArray[np.float32]:
    """[2, count]: cos and -sin of 2 pi k / ``whole``."""
    angle = 2 * np.pi * np.arange(count) / max(whole, 1)
    return np.stack([np.cos(angle), -np.sin(angle)]).astype(np.float32)


def _thread_bits(length: int, *, fast: bool) -> int:
    """A thread for every 16 samples, one transform of eight pairs, else for every bin; whole warps."""
    wanted = length // (16 if fast else 2)
    return min(max(wanted.bit_length() - 1, LEAST_THREADS_BITS), MOST_THREADS_BITS)
