"""What of a GPU really works on this host, found by using it; each runs in a process of its own (``doctor``).

Each returns what it found as a sentence, or raises with what is missing and what to do.
"""

import base64
import ctypes
from importlib import import_module
from typing import Any

import numpy as np

from edge_agent.runners.errors import DriverError, UnavailableError, told
from edge_agent.runners.gpu import Gpu
from edge_agent.runners.onnx import CUDA, OnnxRunner
from firmware_configs.engines.library import check_gpu, find
from firmware_configs.profiles import Runtime

# An ONNX model of one Identity: ``features`` float32 [n, 1] to ``same``.
IDENTITY = base64.b64decode(
    "CAg6VQoaCghmZWF0dXJlcxIEc2FtZSIISWRlbnRpdHkSAWdaGwoIZmVhdHVyZXMSDwoNCAESCQoDEgFuCgIIAWIXCgRzYW1lEg8KDQgB"
    "EgkKAxIBbgoCCAFCBAoAEBE="
)


def driver() -> str:
    """Up to which CUDA the driver goes. Raises DriverError."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DriverError("NVIDIA's driver is not installed: libcuda.so.1 cannot be loaded") from error
    version = ctypes.c_int()
    code = int(library.cuInit(0) or library.cuDriverGetVersion(ctypes.byref(version)))
    if code:
        raise DriverError(f"NVIDIA's driver does not start: CUDA error {code}")
    return f"for CUDA up to {version.value // 1000}.{version.value % 1000 // 10}"


def kernels() -> str:
    """The GPU that the kernels run on. Raises UnavailableError or DriverError."""
    try:
        numba: Any = import_module("numba")
        cuda: Any = import_module("numba.cuda")
    except ImportError as error:
        raise UnavailableError(f"{told(error)}: pip install 'andon[gpu]'") from error
    if numba.config.ENABLE_CUDASIM:
        raise UnavailableError("only the CUDA simulator is on: unset NUMBA_ENABLE_CUDASIM")
    if not cuda.is_available():
        raise DriverError(f"Numba finds no GPU: {told(cuda.cuda_error() or UnavailableError('none there'))}")
    return str(cuda.get_current_device().name)


def compiler() -> str:
    """TensorRT for RTX, which compiles engines without a GPU. Raises HostError."""
    return f"{find(Runtime.TENSORRT_RTX).version} compiles engines here; to run them takes an RTX GPU"


def native(runtime: str) -> str:
    """The library of ``runtime`` and the GPU it would run engines on. Raises HostError or InferenceError."""
    library = find(Runtime(runtime))
    check_gpu(library)
    return f"{library.version} on {Gpu.open().identity}"


def cuda_provider() -> str:
    """A network has run in ONNX Runtime's CUDA provider. Raises InferenceError."""
    OnnxRunner(IDENTITY, CUDA).run(np.ones((1, 1), np.float32))
    return "a network has run in the CUDA provider"
