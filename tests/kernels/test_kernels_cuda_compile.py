"""The CUDA kernels compile for every GPU that a device profile names, and fit it; no GPU is needed for that."""

import re

import numpy as np
import pytest
from cuda_compiling import assemble, ptx

from firmware_configs import profiles
from kernels import cuda_plan, cuda_spectrum, layout
from kernels.cuda_fourier import MIXED, mixed
from kernels.cuda_plan import make_plan, turns
from kernels.errors import KernelInputError

# Shared memory that a block may have, and registers of a multiprocessor: CUDA programming guide,
# "technical specifications per compute capability".
SHARED_LIMITS = {"8.6": 99, "8.7": 163, "8.9": 99, "9.0": 227, "11.0": 227, "12.0": 99}  # KiB
REGISTERS = 65_536
CAPABILITIES = sorted(
    {one for profile in profiles.profiles().values() for one in profile.compute_capabilities}
)


def plan(length: int, **more: int):
    return make_plan(length=length, rate_hz=12_000.0, **{"lines": 9, "shared_limit": 99 << 10, **more})


@pytest.fixture(scope="module", params=CAPABILITIES)
def capability(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def fast(capability: str) -> str:
    return ptx(4096, capability)


def test_the_fused_kernel_keeps_everything_in_registers_and_shared_memory(fast: str, capability: str) -> None:
    found = assemble(fast, capability)
    assert (found.stack, found.spilled, found.local) == (0, 0, 0)
    assert -(-found.registers // 8) * 8 * plan(4096).threads * 4 <= REGISTERS  # four blocks at once


def test_the_fused_kernel_computes_in_float32(fast: str) -> None:
    """But for the statistics, which one thread works out of the sums as the CPU does."""
    assert len(re.findall(r"\bfma\.rn\.f32|\badd\.f32|\bmul\.f32", fast)) > 500
    assert len(re.findall(r"\.f64\s", fast)) < 40


def test_the_fused_kernel_reads_each_sample_once(fast: str) -> None:
    """A thread reads its pairs, 8 bytes each, in as many instructions; of all else it reads 4 bytes."""
    assert len(re.findall(r"ld\.global\.\w*64", fast)) == 4096 // 2 // plan(4096).threads
    assert not re.findall(r"ld\.global\.v|ld\.local|ld\.f32", fast)


def test_a_launch_of_4096_samples_fits_every_gpu(capability: str) -> None:
    assert plan(4096).shared_bytes <= SHARED_LIMITS[capability] << 10
    assert plan(8192).shared_bytes <= SHARED_LIMITS[capability] << 10


def test_the_plain_kernel_compiles_too_and_spills_nothing() -> None:
    found = assemble(ptx(1000, CAPABILITIES[0]), CAPABILITIES[0])
    assert (found.stack, found.spilled, found.local) == (0, 0, 0)


def test_a_window_that_fits_no_block_is_refused_by_name() -> None:
    with pytest.raises(
        KernelInputError, match=r"window length: .* 101376 bytes .*CPU twin.*, got 16384, which"
    ):
        plan(16_384)
    assert plan(16_384, shared_limit=163 << 10).fast


def test_lengths_and_rates_that_mean_nothing_are_refused() -> None:
    with pytest.raises(KernelInputError, match=r"window length"):
        plan(0)
    with pytest.raises(KernelInputError, match="rate"):
        make_plan(length=64, rate_hz=float("nan"), lines=0, shared_limit=99 << 10)


@pytest.mark.parametrize(
    ("length", "fast_"), [(64, True), (4096, True), (32, False), (100, False), (4095, False)]
)
def test_powers_of_two_are_transformed_fast(length: int, fast_: bool) -> None:
    assert plan(length).fast is fast_


def test_plan_and_kernel_mean_the_same_room() -> None:
    assert cuda_plan.ROOM == layout.BANDS + 2
    assert 1 << cuda_spectrum.LANES_BITS == cuda_plan.LINE_ROOM


def test_the_table_is_that_of_the_circle() -> None:
    angle = 2j * np.pi * np.arange(8) / 16
    np.testing.assert_allclose(turns(16, 8)[0] + 1j * turns(16, 8)[1], np.exp(-angle), atol=1e-7)


@pytest.mark.parametrize(
    "written", [lambda t: t, lambda t: 8 * t, lambda t: (t // 8) * 64 + t % 8], ids="rep"
)
def test_numbers_written_together_lie_in_banks_of_their_own(written: object) -> None:
    """32 banks: of neighbours, of every eighth, and of eights in every 64."""
    place = mixed.py_func
    for offset in range(0, 512, 8):
        assert len({place(written(thread) ^ offset, MIXED) % 32 for thread in range(32)}) == 32


def test_between_passes_no_number_lies_where_another_does() -> None:
    assert sorted(mixed.py_func(i, MIXED) for i in range(2048)) == list(range(2048))
    assert all(mixed.py_func(i, 0) == i for i in range(2048))
