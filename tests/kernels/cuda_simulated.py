"""Runs the CUDA twin in Numba's simulator, in a process of its own: ``python cuda_simulated.py FILE``.

Simulator and compiler exclude each other in one process: see ``cuda_cases.SIMULATED``. Writes what came out to FILE (.npz); no test is here.
"""

import sys
import warnings
from collections import Counter

import numpy as np
from cuda_cases import (
    DRAWN,
    ON_HARDWARE,
    ORDERS,
    RATE_HZ,
    SIGNALS,
    SPEED_HZ,
    TOO_LOUD,
    any_window,
    lines,
    windows_of,
)
from hypothesis import Phase, given, settings
from numba.cuda.simulator import kernel as simulator

from kernels import cuda
from kernels.errors import KernelInputError

THREAD_BITS = 3  # a block of 8: each thread of a simulated block is a thread of Python

met: list[Counter] = []  # per block: barriers that each thread met


class CountingBlock(simulator.BlockManager):
    def run(self, *args: object) -> None:
        met.append(Counter())
        super().run(*args)


def count_barriers() -> None:
    meet = simulator.BlockThread.syncthreads

    def counted(thread: object) -> None:
        met[-1][thread.thread_id] += 1
        meet(thread)

    simulator.BlockThread.syncthreads = counted
    simulator.BlockManager = CountingBlock


def fused(length: int, bits: int | None = THREAD_BITS, **more: object) -> cuda.FusedWindows:
    return cuda.FusedWindows(length=length, rate_hz=RATE_HZ, thread_bits=bits, **more)


def refusal(windows: np.ndarray) -> str:
    try:
        fused(windows.shape[1], orders_=ORDERS)(windows, speed_hz=SPEED_HZ)
    except KernelInputError as error:
        return str(error)
    return ""


def beside_others() -> np.ndarray:
    """Two rows of two channels in a buffer [2, 50] with 3 of others' before them and 11 behind; those are -7."""
    made = fused(64, across=2)
    out = np.full(2 * 50, -7, np.float32)
    made.launch(windows_of("noise").repeat(2, axis=0), None, out, column=3, stride=50)
    return out.reshape(2, 50)


def found_in(windows: np.ndarray, bits: int | None = THREAD_BITS) -> np.ndarray:
    made = fused(windows.shape[1], bits, orders_=ORDERS)
    return cuda._compute(made._kernel, windows, made.ranges(SPEED_HZ), made._near)


def any_windows(length: int, count: int) -> np.ndarray:
    """[count, length], as hypothesis makes them."""
    found = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(any_window(length))
    def collect(window: np.ndarray) -> None:
        found.append(window)

    collect()
    return np.concatenate(found)


def main() -> None:
    warnings.simplefilter("ignore", RuntimeWarning)  # a GPU does not warn of NaN either
    count_barriers()
    found = {}
    for name in SIGNALS:
        found[name] = found_in(windows_of(name))
    for length, count in DRAWN.items():
        found[f"any windows of {length}"] = any_windows(length, count)
        found[f"of any windows of {length}"] = found_in(found[f"any windows of {length}"])
    for name, bits in ON_HARDWARE.items():
        found[f"{name}, on hardware"] = found_in(windows_of(name), bits)
    found["without lines"] = fused(64)(windows_of("noise"))
    found["standing"] = fused(64, orders_=ORDERS)(windows_of("noise"), speed_hz=0.0)
    found["as a twin"] = cuda.features(windows_of("noise"), RATE_HZ, *lines())
    found["beside others"] = beside_others()
    found["refusals"] = np.array([refusal(windows_of("NaN")), refusal(windows_of("noise") * TOO_LOUD)])
    found["barriers"] = np.array([(min(block.values()), max(block.values()), len(block)) for block in met])
    np.savez(sys.argv[1], **found)


if __name__ == "__main__":
    main()
