"""A device that runs for years: a window more costs no memory more, and nothing is compiled after the start."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import cpu, extractor, layout, sets
from kernels.sets import Extractor, State

CHANNELS, LENGTH, RATE_HZ = 4, 4096, 12_000.0
OF_SCIPY = (
    8 * CHANNELS * (LENGTH // 2 + 1 + layout.envelope_bins(LENGTH))
)  # bytes of the spectra it gives back
LOOPS = (
    cpu._measure,
    cpu._spectral,
    cpu._magnitude,
    cpu._lines,
    layout._line_bins,
    extractor._unsound,
)
Windows = list[NDArray[np.float32]]


def make(name: str) -> Extractor:
    waveforms = [(f"vibration_{channel}", RATE_HZ, 0) for channel in range(CHANNELS)]
    return sets.make(name, scalars=["speed"], waveforms=waveforms, units={"speed": "Hz"})


def draw(length: int = LENGTH) -> Windows:
    return list(np.random.default_rng(2).normal(size=(CHANNELS, length)).astype(np.float32))


def step(made: Extractor, state: State, windows: Windows, number: int) -> None:
    assert made.update(state, number, [29.5 + number / 100], windows) is not None


@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/2"])
def test_a_thousand_windows_take_no_memory_but_for_the_spectra_that_scipy_gives_back(name: str) -> None:
    made, windows = make(name), draw()
    state = made.initial()
    for number in range(20):
        step(made, state, windows, number)
    tracemalloc.start()
    try:
        step(made, state, windows, 20)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for number in range(1000):
            step(made, state, windows, number)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2_000
    assert peak - before < OF_SCIPY + 8_000  # a copy of one window has 16,384 bytes


@pytest.mark.parametrize("name", ["vibration/1", "vibration-trend/2"])
def test_nothing_is_compiled_after_the_start_whatever_windows_come(name: str) -> None:
    """Windows come read-only from a message, strided from a recording, in float64 from a test, of odd lengths."""
    before = [len(loop.signatures) for loop in LOOPS]
    made = make(name)
    state = made.initial()
    read_only = draw()
    for window in read_only:
        window.flags.writeable = False
    strided = list(np.stack(draw(), axis=1).T)
    wide = [window.astype(np.float64) for window in draw()]
    for number, windows in enumerate((draw(), read_only, strided, wide, draw(64), draw(1001))):
        step(made, state, windows, number)
    assert [len(loop.signatures) for loop in LOOPS] == before
