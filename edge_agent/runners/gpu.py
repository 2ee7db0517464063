"""The GPU of this device through PyCUDA: its primary context, a stream, and memory that both sides reach.

Numba, TensorRT and PyCUDA work in one context, the primary one, which is retained and never created anew.
PyCUDA frees memory only on a thread on which that context is current; so whoever allocates, runs or closes
does so inside ``with gpu:``, on whatever thread, and nothing is left to a garbage collector.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, Self

import numpy as np

from edge_agent.runners.errors import DriverError, UnavailableError, named, told
from edge_agent.runners.runner import Matrix

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: waits for no other stream


class Gpu:
    """The first GPU; one an agent."""

    def __init__(self, driver: ModuleType) -> None:
        self.driver = driver
        self.context = driver.Device(0).retain_primary_context()

    @classmethod
    def open(cls) -> Self:
        """Raises UnavailableError without PyCUDA, DriverError where no driver answers for a GPU."""
        try:
            from pycuda import driver  # noqa: PLC0415 - most devices have none
        except ModuleNotFoundError as error:
            raise UnavailableError(f"{told(error)}: pip install 'andon[gpu]'") from error
        except ImportError as error:  # its extension module does not find libcuda, or finds another one
            raise DriverError(f"PyCUDA does not load: {told(error)}; see that nvidia-smi works") from error
        try:
            driver.init()
            return cls(driver)
        except driver.Error as error:
            raise DriverError(f"CUDA finds no GPU: {told(error)}; see that nvidia-smi works") from error

    @property
    def identity(self) -> str:
        """What an engine compiled here is bound to: the kind of GPU and the driver."""
        device = self.driver.Device(0)
        major, minor = device.compute_capability()
        return f"{device.name()}, {major}.{minor}, driver {self.driver.get_driver_version()}"

    @contextmanager
    def current(self) -> Iterator[None]:
        """The context is this thread's own meanwhile; what CUDA complains about is an InferenceError."""
        try:
            self.context.push()
            try:
                yield
            except BaseException:
                with suppress(self.driver.Error):  # what went wrong first is what gets told
                    self.driver.Context.pop()
                raise
            self.driver.Context.pop()
        except self.driver.Error as error:
            raise named(told(error)) from error

    def stream(self) -> Any:
        return self.driver.Stream(NON_BLOCKING)


class Buffer:
    """``host`` float32 [rows, width], and where the GPU finds the same: made and closed in ``gpu.current()``.

    ``mapped``: both see the very same bytes, for GPUs that share the CPU's memory; else there is a
    page-locked array on one side, its twin on the other, and copies between them.
    """

    def __init__(self, gpu: Gpu, rows: int, width: int, *, mapped: bool) -> None:
        driver = gpu.driver
        flags = driver.host_alloc_flags.DEVICEMAP if mapped else 0
        self.host: Matrix = driver.pagelocked_empty((rows, width), np.float32, mem_flags=flags)
        self._driver = driver
        self._page: Any = self.host.base
        self._device: Any = None
        try:
            if not mapped:
                self._device = driver.mem_alloc(self.host.nbytes)
            self.address = int(self._device or self._page.get_device_pointer())
        except BaseException:
            self.close()
            raise

    def send(self, rows: int, stream: Any) -> None:
        """Have the first ``rows`` rows on the GPU, in the order of ``stream``."""
        if self._device is not None:
            self._driver.memcpy_htod_async(self.address, self.host[:rows], stream)

    def fetch(self, rows: int, stream: Any) -> None:
        """Have the first ``rows`` rows back, in the order of ``stream``."""
        if self._device is not None:
            self._driver.memcpy_dtoh_async(self.host[:rows], self.address, stream)

    def close(self) -> None:
        """``host`` is nobody's memory afterwards."""
        self.host = np.empty((0, 0), np.float32)
        self._page.free()
        if self._device is not None:
            self._device.free()
