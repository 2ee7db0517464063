"""What a device can run here: ONNX Runtime always, a GPU's kernels and TensorRT where they really load."""

import importlib.util
import re
from dataclasses import dataclass

from firmware_configs.host import Check, State, ask_python

EXTRA = "pip install 'andon[edge]'"
GPU_EXTRA = "pip install 'andon[gpu]' on a machine with an NVIDIA GPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Something that a device can do without; ``call`` is of ``edge_agent.runners.probing``."""

    name: str
    call: str
    remedy: str


ON_THE_CPU = "until then releases run in ONNX Runtime on the CPU, with the same answers"
PROBES = (
    Probe(name="GPU driver", call="driver()", remedy=f"for a GPU install NVIDIA's driver; {ON_THE_CPU}"),
    Probe(name="TensorRT", call="native('tensorrt')", remedy=ON_THE_CPU),
    Probe(
        name="TensorRT for RTX",
        call="native('tensorrt-rtx')",
        remedy=f"it compiles engines here, and runs them with an RTX GPU; {ON_THE_CPU}",
    ),
    Probe(name="ONNX Runtime, CUDA", call="cuda_provider()", remedy=ON_THE_CPU),
)


def checks(*, quick: bool) -> list[Check]:
    """The agent's libraries, each loaded in a process of its own; ``quick`` sees whether they are there."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("paho") is None:
        found = "the agent's libraries are not installed"
        return [Check(name="edge agent", state=State.WARNING, found=found, remedy=f"for a device: {EXTRA}")]
    if quick:
        return [Check(name="edge agent", state=State.OK, found="its libraries are installed", required=True)]
    return [_onnxruntime(), _kernels(), _cuda(), *map(_probed, PROBES)]


def _probed(probe: Probe) -> Check:
    """A process of its own tries it: a library that crashes takes nobody with it."""
    works, said = ask_python(f"from edge_agent.runners import probing; print(probing.{probe.call})")
    if works:
        return Check(name=probe.name, state=State.OK, found=said)
    reason = re.sub(r"^[\w.]+(Error|Exception): ", "", said)
    return Check(name=probe.name, state=State.WARNING, found=reason, remedy=probe.remedy)


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


def _cuda() -> Check:
    works, said = ask_python(
        "from numba import config, cuda; assert not config.ENABLE_CUDASIM, 'only the CUDA simulator is on';"
        "assert cuda.is_available(), 'Numba finds no CUDA device';"
        "print(cuda.get_current_device().name.decode())"
    )
    if works:
        return Check(name="kernels on the GPU", state=State.OK, found=said)
    reason = said.removeprefix("AssertionError: ")
    return Check(
        name="kernels on the GPU",
        state=State.WARNING,
        found=reason,
        remedy=f"features are computed on the CPU, with the same results; {GPU_EXTRA}",
    )
