"""What a device can run here: ONNX Runtime always, a GPU's kernels and TensorRT where they really load."""

import importlib.util

from firmware_configs.host import Check, State, ask_python

EXTRA = "pip install 'andon[edge]'"
GPU_EXTRA = "pip install 'andon[gpu]' on a machine with an NVIDIA GPU"


def checks(*, quick: bool) -> list[Check]:
    """The agent's libraries, each loaded in a process of its own; ``quick`` sees whether they are there."""
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("paho") is None:
        found = "the agent's libraries are not installed"
        return [Check(name="edge agent", state=State.WARNING, found=found, remedy=f"for a device: {EXTRA}")]
    if quick:
        return [Check(name="edge agent", state=State.OK, found="its libraries are installed", required=True)]
    return [_onnxruntime(), _kernels(), _cuda(), _tensorrt("tensorrt"), _tensorrt("tensorrt_rtx")]


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


def _tensorrt(module: str) -> Check:
    name = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT for RTX"}[module]
    if importlib.util.find_spec(module) is None:
        return Check(
            name=name,
            state=State.WARNING,
            found="not installed",
            remedy="models run in ONNX Runtime; on Jetson TensorRT comes with JetPack, else " + GPU_EXTRA,
        )
    works, said = ask_python(f"import {module}; print({module}.__version__)")
    if works:
        return Check(name=name, state=State.OK, found=said)
    remedy = "models run in ONNX Runtime until its libraries fit the driver"
    return Check(name=name, state=State.WARNING, found=f"installed, but does not load: {said}", remedy=remedy)
