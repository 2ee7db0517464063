"""Compiles the CUDA kernels for a compute capability without a GPU, as Numba does it for the one it finds."""

import re
from types import SimpleNamespace
from typing import NamedTuple

import numba.cuda
import pytest
from cuda.bindings import nvjitlink
from numba.cuda import dispatcher

from kernels.cuda import FAST, PLAIN, kernel_of
from kernels.cuda_plan import make_plan


class Machine(NamedTuple):
    """What the assembler says of a kernel; bytes are those of a thread."""

    registers: int
    stack: int
    spilled: int
    local: int


def ptx(length: int, capability: str) -> str:
    plan = make_plan(length=length, rate_hz=12_000.0, lines=9, shared_limit=99 << 10)
    target = tuple(int(part) for part in capability.split("."))
    with pytest.MonkeyPatch.context() as patch:
        # Numba asks the device for its capability as it meets a function within a kernel; there is none here.
        device = SimpleNamespace(compute_capability=target)
        patch.setattr(dispatcher, "get_current_device", lambda: device)
        text, _ = numba.cuda.compile(
            kernel_of(plan).py_func,
            FAST if plan.fast else PLAIN,
            cc=target,
            output="ptx",
            device=False,
            abi="numba",
        )
    return text


def assemble(text: str, capability: str) -> Machine:
    """Machine code for ``capability``; it only runs on a GPU, but what it needs is known."""
    source = text.encode()
    architecture = f"-arch=sm_{capability.replace('.', '')}"
    linker = nvjitlink.create(2, [architecture, "-verbose"])
    try:
        nvjitlink.add_data(linker, nvjitlink.InputType.PTX, source, len(source), "kernel")
        nvjitlink.complete(linker)
        log = bytearray(nvjitlink.get_info_log_size(linker))
        nvjitlink.get_info_log(linker, log)
    finally:
        nvjitlink.destroy(linker)
    told = log.decode()

    def number(pattern: str) -> int:
        return max(int(found) for found in re.findall(pattern, told))

    return Machine(
        registers=number(r"used (\d+) registers"),
        stack=number(r"(\d+) bytes stack frame"),
        spilled=number(r"(\d+) bytes spill stores"),
        local=number(r"(\d+) bytes lmem"),
    )
