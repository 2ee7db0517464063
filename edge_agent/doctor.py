"""What a device can run here: ONNX Runtime always, a GPU's kernels and TensorRT where they really load."""

import importlib.util
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from firmware_configs.host import Check, State, ask_python

EXTRA = "pip install 'andon[edge]'"
GPU_EXTRA = "pip install 'andon[gpu]'"
ON_THE_CPU = "until then features are computed, and releases run, on the CPU, with the same answers"
RTX = "x86_64"  # what TensorRT for RTX runs on


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something that a device can do without; ``call`` is of ``edge_agent.runners.probing``."""

    name: str
    call: str


DRIVER = Probe(name="GPU driver", call="driver()")
KERNELS = Probe(name="kernels on the GPU", call="kernels()")
TENSORRT = Probe(name="TensorRT", call="native('tensorrt')")
TENSORRT_RTX = Probe(name="TensorRT for RTX", call="native('tensorrt-rtx')")
COMPILER = Probe(name="TensorRT for RTX", call="compiler()")  # which needs no GPU
PROVIDER = Probe(name="ONNX Runtime, CUDA", call="cuda_provider()")


def checks(*, quick: bool) -> list[Check]:
    """The agent's libraries, each loaded in a process of its own; ``quick`` sees whether they are there."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("paho") is None:
        found = "the agent's libraries are not installed"
        return [Check(name="edge agent", state=State.WARNING, found=found, remedy=f"for a device: {EXTRA}")]
    if quick:
        return [Check(name="edge agent", state=State.OK, found="its libraries are installed", required=True)]
    return [_onnxruntime(), _kernels(), *gpu(_probed, platform.machine())]


def gpu(look: Callable[[Probe], Check], machine: str) -> Iterator[Check]:
    """What of a GPU works, and why not the rest, each reason once: without a driver nothing of it does.

    One library that runs engines is enough, and the better one for an RTX GPU is its own.
    """
    driver, rtx = look(DRIVER), machine == RTX
    if driver.state is not State.OK:
        yield replace(driver, remedy=f"for a GPU, NVIDIA's driver and {GPU_EXTRA}; {ON_THE_CPU}")
        compiler = look(COMPILER)
        if rtx and compiler.state is State.OK:
            yield compiler
        return
    yield driver
    yield look(KERNELS)
    libraries = [look(each) for each in ((TENSORRT_RTX, TENSORRT) if rtx else (TENSORRT,))]
    yield from [each for each in libraries if each.state is State.OK] or libraries
    yield look(PROVIDER)


def _probed(probe: Probe) -> Check:
    """A process of its own tries it: a library that crashes takes nobody with it."""
    works, said = ask_python(f"from edge_agent.runners import probing; print(probing.{probe.call})")
    if works:
        return Check(name=probe.name, state=State.OK, found=said)
    reason = re.sub(r"^[\w.]+(Error|Exception): ", "", said)
    return Check(name=probe.name, state=State.WARNING, found=reason, remedy=ON_THE_CPU)


def _onnxruntime() -> Check:
    works, said = ask_python(
        "import onnxruntime as o; print(o.__version__, 'with', ', '.join(o.get_available_providers()))"
    )
    if works:
        return Check(name="ONNX Runtime", state=State.OK, found=said, required=True)
    return Check(name="ONNX Runtime", state=State.MISSING, found=said, remedy=EXTRA, required=True)


def _kernels() -> Check:
    works, said = ask_python("import numba; print('Numba', numba.__version__)")
    if works:
        return Check(name="kernels on the CPU", state=State.OK, found=said, required=True)
    return Check(name="kernels on the CPU", state=State.MISSING, found=said, remedy=EXTRA, required=True)
