"""Which library compiles and runs engines here, and what it complains about.

``tensorrt`` and ``tensorrt_rtx`` have one Python API, so whoever works with a ``Library`` need not ask
which it is. Both are imported in this folder alone: what they lack on a host is said here, with what to do.
"""

import ctypes
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from firmware_configs.errors import EngineLibraryError
from firmware_configs.profiles import Runtime

MOST_SAID = 600  # characters of what a library complained about
MAJOR, MINOR = 75, 76  # CUdevice_attribute: of the compute capability
MODULES = {Runtime.TENSORRT: "tensorrt", Runtime.TENSORRT_RTX: "tensorrt_rtx"}
# TensorRT 10 is the first that strips weights from plans, TensorRT for RTX 1.2 the first to need no timings.
OLDEST = {Runtime.TENSORRT: (10, 0), Runtime.TENSORRT_RTX: (1, 2)}
INSTALL = {
    Runtime.TENSORRT: "on a Jetson it comes with JetPack (apt install tensorrt python3-libnvinfer), elsewhere"
    " with pip install tensorrt from NVIDIA's index",
    Runtime.TENSORRT_RTX: "pip install tensorrt-rtx (x86-64 only)",
}


_held: dict[Runtime, Any] = {}  # see ``_hold_logger``
_holding = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    runtime: Runtime
    version: str  # as the library says it: "10.13.2.6"; part of an engine's key
    module: Any


def find(runtime: Runtime) -> Library:
    """The library of ``runtime``, imported; EngineLibraryError says what is missing and what to do.

    TensorRT for RTX compiles without a GPU; TensorRT does nothing without one, so one is asked for here.
    """
    if runtime not in MODULES:
        raise EngineLibraryError(f"expected a runtime that compiles, got {runtime}: it runs the ONNX itself")
    name = MODULES[runtime]
    try:
        module = import_module(name)
    except (ImportError, OSError) as error:
        raise EngineLibraryError(f"{name} cannot be imported: {error}; {INSTALL[runtime]}") from error
    library = Library(runtime=runtime, version=str(module.__version__), module=module)
    check_version(library)
    if runtime is Runtime.TENSORRT:
        check_gpu(library)
    _hold_logger(library)
    return library


def check_version(library: Library) -> None:
    """Refuse a library older than what Andon asks of it."""
    oldest = OLDEST[library.runtime]
    if tuple(map(int, re.findall(r"\d+", library.version)[:2])) < oldest:
        raise EngineLibraryError(
            f"expected {MODULES[library.runtime]} {'.'.join(map(str, oldest))} or newer,"
            f" got {library.version}: {INSTALL[library.runtime]}"
        )


def check_gpu(library: Library) -> None:
    """Refuse a host on which ``library`` can run nothing: no driver, no GPU of its kind, an old driver."""
    code, count = _devices()
    if code or not count:
        raise EngineLibraryError(
            f"expected a GPU that CUDA's driver answers for, got {_told(code)}: see that nvidia-smi works"
            " (on a Jetson: that JetPack is whole)"
        )
    if library.runtime is Runtime.TENSORRT_RTX:
        _check_kind(library, _compute_capability())
    listener = listen(library)
    try:
        library.module.Runtime(listener)
    except Exception as error:  # a null pointer, which the bindings raise as what they like
        raise EngineLibraryError(
            f"expected a driver that {MODULES[library.runtime]} {library.version} can work with, got:"
            f" {said(listener)}: update NVIDIA's driver"
        ) from error


def _check_kind(library: Library, found: str) -> None:
    """TensorRT for RTX is for RTX GPUs; those that it compiles for are all that it runs on."""
    known = library.module.ComputeCapability.__members__
    if f"SM{found.replace('.', '')}" not in known:
        offered = ", ".join(name for name in known if name.startswith("SM"))
        raise EngineLibraryError(
            f"expected a GPU out of {offered} for {library.runtime} {library.version}, got one of compute"
            f" capability {found}: run it in TensorRT or in ONNX Runtime"
        )


def listen(library: Library) -> Any:
    """A logger for ``library`` that keeps what it complains about, in ``complaints``, and prints nothing."""
    logger: Any = library.module.ILogger
    serious = (logger.Severity.INTERNAL_ERROR, logger.Severity.ERROR)

    class Listener(logger):  # type: ignore[misc]  # of a library that is known when it is found
        def __init__(self) -> None:
            logger.__init__(self)
            self.complaints: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in serious:
                self.complaints.append(" ".join(message.split()))

    return Listener()


def _hold_logger(library: Library) -> None:
    """Make something with ``library`` before anybody else does, with a logger that is never let go.

    The library takes the logger of what is made first for its own (getLogger in NvInferRuntime.h), until
    nothing is left of all that was made, and complains to it of what belongs to no engine, such as plugins.
    Where the engine that came first has gone and another one stays, that logger would be freed memory.
    """
    logger: Any = library.module.ILogger

    class Silent(logger):  # type: ignore[misc]  # of a library that is known when it is found
        def __init__(self) -> None:
            logger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            """What concerns one engine, its own listener hears."""

    # an exception: a null pointer, so nothing can be loaded here, and whoever tries is told
    with _holding, suppress(Exception):
        if library.runtime not in _held:
            _held[library.runtime] = library.module.Runtime(Silent())


def said(listener: Any) -> str:
    """What the library complained about to ``listener``, each once."""
    return "; ".join(dict.fromkeys(listener.complaints))[:MOST_SAID] or "it does not say why"


def _devices() -> tuple[int, int]:
    """CUDA's answer and how many GPUs there are, asked of the driver itself; -1 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return -1, 0
    count = ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    return int(code), count.value


def _compute_capability() -> str:
    """Of the first GPU, such as "8.6", where there is one; "0.0" where the driver does not tell."""
    driver = ctypes.CDLL("libcuda.so.1")
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    driver.cuDeviceGet(ctypes.byref(device), 0)
    for number, attribute in ((major, MAJOR), (minor, MINOR)):
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
    return f"{major.value}.{minor.value}"


def _told(code: int) -> str:
    return {-1: "no driver", 0: "a driver without a GPU"}.get(code, f"CUDA error {code}")
