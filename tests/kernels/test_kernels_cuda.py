"""The CUDA twin means what the reference means: in the simulator everywhere, on hardware where there is some."""

import os
import subprocess
import sys
from pathlib import Path

import numba.cuda
import numpy as np
import pytest
from cuda_cases import (
    DRAWN,
    ON_HARDWARE,
    ORDERS,
    RATE_HZ,
    SIGNALS,
    SILENT,
    SIMULATED,
    SPEED_HZ,
    TOO_LOUD,
    UNSOUND,
    any_window,
    assert_equal_enough,
    expected,
    lines,
    scale,
    windows_of,
)
from hypothesis import given, settings
from numpy.typing import NDArray

from firmware_configs import figures
from kernels import cuda, cuda_bench, vibration
from kernels.cuda_errors import CudaFailedError, CudaMemoryError, CudaUnavailableError, named
from kernels.errors import KernelInputError

Found = dict[str, NDArray]
SCRIPT = Path(__file__).with_name("cuda_simulated.py")

on_gpu = pytest.mark.skipif(not numba.cuda.is_available(), reason="no CUDA device here")
signals = pytest.mark.parametrize("name", SIGNALS)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What the simulator computed, in a process of its own: see ``cuda_simulated``."""
    file = tmp_path_factory.mktemp("simulated") / "found.npz"
    path = os.pathsep.join((str(SCRIPT.parents[2]), str(SCRIPT.parent)))
    environment = os.environ | SIMULATED | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, SCRIPT, file], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(file) as found:
        return dict(found)


@signals
def test_the_kernel_agrees_with_the_reference_in_the_simulator(simulated: Found, name: str) -> None:
    assert_equal_enough(simulated[name], windows_of(name))


@pytest.mark.parametrize(("length", "count"), DRAWN.items())
def test_whatever_the_samples_the_kernel_agrees_with_the_reference_in_the_simulator(
    simulated: Found, length: int, count: int
) -> None:
    windows = simulated[f"any windows of {length}"]
    assert windows.shape == (count, length)
    assert_equal_enough(simulated[f"of any windows of {length}"], windows)


@pytest.mark.parametrize("name", ON_HARDWARE)
def test_as_many_threads_as_a_gpu_is_given_agree_with_the_reference_too(simulated: Found, name: str) -> None:
    """Their sums take two and three steps, where those of eight threads take one."""
    assert_equal_enough(simulated[f"{name}, on hardware"], windows_of(name))


def test_blocks_were_simulated_with_as_many_threads_as_a_gpu_is_given(simulated: Found) -> None:
    assert {8, 32, 256, 512} <= set(simulated["barriers"][:, 2])


@pytest.mark.gpu
@on_gpu
@signals
def test_the_kernel_agrees_with_the_reference_on_hardware(name: str) -> None:
    assert_equal_enough(cuda.features(windows_of(name), RATE_HZ, *lines()), windows_of(name))


@pytest.mark.gpu
@on_gpu
@signals
def test_hardware_and_simulator_say_the_same(simulated: Found, name: str) -> None:
    got, beside = cuda.features(windows_of(name), RATE_HZ, *lines()), simulated[name]
    np.testing.assert_allclose(got, beside, rtol=2e-5, atol=2e-5 * np.nanmax(np.abs(beside), initial=1.0))


@pytest.mark.gpu
@on_gpu
@settings(deadline=None, max_examples=200)
@given(window=any_window(64, 100, 4096))
def test_whatever_the_samples_hardware_agrees_with_the_reference(window: NDArray) -> None:
    assert_equal_enough(cuda.features(window, RATE_HZ, *lines()), window)


@pytest.mark.gpu
@on_gpu
def test_compiled_kernels_prove_themselves_before_they_are_used() -> None:
    cuda.warm()


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("length", [4096, 8192, 16384, 1001])
def test_long_windows_agree_on_hardware(length: int) -> None:
    windows = np.random.default_rng(2).normal(3.0, 1.0, (300, length)).astype(np.float32)
    assert_equal_enough(cuda.features(windows, RATE_HZ, *lines()), windows)


@pytest.mark.gpu
@on_gpu
def test_addresses_of_others_serve_as_well_and_a_stream_of_theirs() -> None:
    windows, made = (
        windows_of("noise"),
        cuda.FusedWindows(length=64, rate_hz=RATE_HZ, orders_=ORDERS, across=2),
    )
    given_, ranges = numba.cuda.to_device(windows), numba.cuda.to_device(made.ranges(SPEED_HZ))
    out, stream = numba.cuda.device_array(made.width, np.float32), numba.cuda.stream()
    windows_at, ranges_at, out_at = (
        array.__cuda_array_interface__["data"][0] for array in (given_, ranges, out)
    )
    made.put(windows=windows_at, ranges=ranges_at, rows=out_at, stream=stream.handle)
    stream.synchronize()
    assert_equal_enough(out.copy_to_host().reshape(2, -1), windows)


@pytest.mark.parametrize("name", SILENT)
def test_a_window_without_vibration_is_all_zeros(simulated: Found, name: str) -> None:
    assert not simulated[name].any()


@pytest.mark.parametrize("name", UNSOUND)
def test_a_window_with_a_sample_that_is_no_number_is_nan_and_its_neighbours_are_not(
    simulated: Found, name: str
) -> None:
    first, second, third = simulated[name]
    assert np.isnan(second).all()
    assert np.isfinite([first, third]).all()


def test_a_window_that_is_not_finite_is_named(simulated: Found) -> None:
    assert str(simulated["refusals"][0]).startswith("window 1: expected finite samples")


def test_a_window_whose_power_leaves_float32_is_refused_too(simulated: Found) -> None:
    assert float(np.finfo(np.float32).max) < TOO_LOUD**2
    assert str(simulated["refusals"][1]).startswith("window 0: expected finite samples")


def test_without_a_speed_there_are_no_lines(simulated: Found) -> None:
    np.testing.assert_array_equal(simulated["without lines"], simulated["noise"][:, :18])


def test_a_standing_shaft_has_no_lines(simulated: Found) -> None:
    np.testing.assert_array_equal(simulated["standing"][:, :18], simulated["noise"][:, :18])
    assert not simulated["standing"][:, 18:].any()


def test_the_number_of_threads_decides_no_more_than_rounding(simulated: Found) -> None:
    """As a twin, the kernel chose four times as many."""
    np.testing.assert_allclose(simulated["as a twin"], simulated["noise"], rtol=1e-5, atol=1e-6)


def test_channels_go_side_by_side_into_the_rows_of_a_buffer_and_nowhere_else(simulated: Found) -> None:
    rows, plain = simulated["beside others"], expected(windows_of("noise"))[:, :18]
    np.testing.assert_allclose(rows[:, 3:39], np.concatenate([plain, plain], axis=1), rtol=1e-4, atol=1e-5)
    assert (rows[:, :3] == -7).all()
    assert (rows[:, 39:] == -7).all()


def test_every_thread_of_a_block_meets_every_barrier(simulated: Found) -> None:
    """On hardware a block whose threads disagree hangs; the simulator lets the others wait for none."""
    fewest, most, threads = simulated["barriers"].T
    assert (fewest == most).all()
    assert (threads >= 8).all()


@pytest.mark.skipif(numba.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_driver_the_twin_says_so_and_what_to_do() -> None:
    with pytest.raises(CudaUnavailableError, match="looking for a GPU: expected one, got"):
        cuda.FusedWindows(length=64, rate_hz=RATE_HZ)
    with pytest.raises(CudaUnavailableError):
        vibration.window_features(windows_of("noise"), rate_hz=RATE_HZ, speed_hz=None, orders_=(), twin=cuda)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("CUDA_ERROR_OUT_OF_MEMORY", CudaMemoryError),
        ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", CudaUnavailableError),
        ("CUDA_ERROR_ILLEGAL_ADDRESS", CudaFailedError),
    ],
)
def test_what_the_driver_refuses_is_named_with_what_was_being_done(code: str, kind: type) -> None:
    error = numba.cuda.cudadrv.driver.CudaAPIError(1, f"Call to cuSomething results in {code}")
    with pytest.raises(kind, match=f"features of 4 windows: .*{code}"), named("features of 4 windows"):
        raise error


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(KernelInputError), named("anything"):
        raise KernelInputError("window", 1, "2")


def test_what_cupy_is_asked_for_is_the_same_features() -> None:
    windows = cuda_bench.draw(np, 3)
    got = cuda_bench.vectorised(np, windows, RATE_HZ, *lines())
    np.testing.assert_array_less(
        np.abs(got - expected(windows)), 1e-5 * scale(expected(windows)) + 1e-5 * np.abs(got)
    )


@pytest.mark.skipif(numba.cuda.is_available(), reason="there is a CUDA device here")
def test_a_benchmark_that_cannot_be_run_says_so_and_fails_nothing() -> None:
    rows = figures.measure("gpu", cuda_bench.gpu_kernels, quick=True)
    assert {(row.value, row.holds) for row in rows} == {(None, None)}
    assert [row.bar.partition("(not run: ")[0] for row in rows] == ["<= 1.5 ", "", "", ">= 3.0 "]


def test_each_figure_of_the_benchmark_is_held_against_what_it_says() -> None:
    """A kernel that takes twice as long as the FFT, four times as long as a copy, and a quarter of CuPy's time."""
    names = (cuda_bench.FULL, cuda_bench.PLAIN, cuda_bench.FFT, cuda_bench.COPY, cuda_bench.CUPY)
    seconds = dict(zip(names, (2.0, 1.5, 1.0, 0.5, 8.0), strict=True))
    found = list(cuda_bench._against(seconds, 1 << 16))
    assert [row["value"] / row["reference_value"] for row in found] == [2.0, 1.5, 0.25, 4.0]
    assert [row["reference"] for row in found] == ["cuFFT R2C", "cuFFT R2C", "copy", "CuPy"]
