"""CUDA's driver by its own names: a context, a stream, and memory that host and device both see.

PyCUDA (2026.1) cannot record graphs, so what is recorded asks the driver through cuda-bindings, which Numba
brings. Everything belongs to the primary context of the first GPU, which Numba, TensorRT and PyCUDA share.
Nothing is freed behind anybody's back: what was opened is closed by its owner, memory last.
"""

import ctypes
from importlib import import_module
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from edge_agent.errors import InferenceError
from edge_agent.runners.errors import DriverError, UnavailableError, named, told

DEVICE = 0

Bytes = npt.NDArray[np.uint8]


class Cuda:
    """The driver, its primary context made current, and one stream that waits for no other."""

    def __init__(self, driver: Any) -> None:
        """``driver``: ``cuda.bindings.driver``, or what answers as it does. Raises InferenceError."""
        self.driver = driver
        self.ask("cuInit", 0)
        self._device = self.ask("cuDeviceGet", DEVICE)
        self._context = self.ask("cuDevicePrimaryCtxRetain", self._device)
        self.use()
        self.stream = self.ask("cuStreamCreate", driver.CUstream_flags.CU_STREAM_NON_BLOCKING)

    @classmethod
    def open(cls) -> Self:
        """Raises UnavailableError without cuda-bindings, DriverError where no driver answers for a GPU."""
        try:
            driver = import_module("cuda.bindings.driver")
        except ModuleNotFoundError as error:
            raise UnavailableError(f"{told(error)}: pip install 'andon[gpu]'") from error
        try:
            return cls(driver)
        except InferenceError as error:
            raise DriverError(f"no GPU to be used: {told(error)}; see that nvidia-smi works") from error

    def ask(self, call: str, *arguments: Any) -> Any:
        """What the driver answers to ``call``; InferenceError with its own name and text for a failure."""
        try:
            status, *values = getattr(self.driver, call)(*arguments)
        except RuntimeError as error:  # what the bindings raise where it is not to be found
            raise DriverError(f"NVIDIA's driver is missing, or too old for {call}") from error
        if status != self.driver.CUresult.CUDA_SUCCESS:
            raise named(f"{call}: {self._told(status)}")
        return values[0] if values else None

    def shares_memory(self) -> bool:
        """Whether this GPU works in the processor's own memory, as on a Jetson."""
        attribute = self.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_INTEGRATED
        return bool(self.ask("cuDeviceGetAttribute", attribute, self._device))

    def use(self) -> None:
        """Make the context current on the calling thread, which may not be the one that opened it."""
        self.ask("cuCtxSetCurrent", self._context)

    def wait(self) -> None:
        """Until the stream is empty. A kernel that failed says so here."""
        self.ask("cuStreamSynchronize", self.stream)

    def close(self) -> None:
        """After everything that was made with it is closed."""
        self.ask("cuStreamDestroy", self.stream)
        self.ask("cuDevicePrimaryCtxRelease", self._device)

    def _told(self, status: Any) -> str:
        _, text = self.driver.cuGetErrorString(status)
        return f"{status.name}: {text.decode()}" if text else str(status.name)


class Block:
    """``size`` bytes, seen at ``host`` and at ``device``.

    ``mapped``: they are the same bytes, for GPUs that share the processor's memory; elsewhere each access
    would cross the bus, and there is a page-locked copy on one side and a twin on the other.
    """

    def __init__(self, cuda: Cuda, size: int, *, mapped: bool) -> None:
        self._cuda, self._mapped = cuda, mapped
        flags = cuda.driver.CU_MEMHOSTALLOC_DEVICEMAP if mapped else 0
        self._address = int(cuda.ask("cuMemHostAlloc", size, flags))
        try:
            place = cuda.ask("cuMemHostGetDevicePointer", self._address, 0) if mapped else None
            self.device = int(cuda.ask("cuMemAlloc", size) if place is None else place)
        except InferenceError:
            cuda.ask("cuMemFreeHost", self._address)
            raise
        self.host: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self._address))
        self.host[:] = 0

    def send(self, start: int, stop: int) -> None:
        """Put the host's bytes [start, stop) on their way to the device, on the stream."""
        if not self._mapped:
            source, target = self._address + start, self.device + start
            self._cuda.ask("cuMemcpyHtoDAsync", target, source, stop - start, self._cuda.stream)

    def fetch(self, start: int, stop: int) -> None:
        """Put the device's bytes [start, stop) on their way to the host, on the stream."""
        if not self._mapped:
            source, target = self.device + start, self._address + start
            self._cuda.ask("cuMemcpyDtoHAsync", target, source, stop - start, self._cuda.stream)

    def close(self) -> None:
        """``host`` is gone with it, and so are arrays made from it."""
        self.host = np.empty(0, np.uint8)
        if not self._mapped:
            self._cuda.ask("cuMemFree", self.device)
        self._cuda.ask("cuMemFreeHost", self._address)
