"""The first GPU of this host, asked of CUDA's driver itself: what it is, and memory on it.

The driver is all that every host with a GPU has; its functions and their numbers are those of CUDA's driver
API. Everything belongs to the primary context, which TensorRT works in too.
"""

import ctypes
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p, create_string_buffer
from dataclasses import dataclass
from typing import Any

from firmware_configs.errors import EngineLibraryError

# CUdevice_attribute
MULTIPROCESSORS, MAJOR, MINOR = 16, 75, 76


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    name: str
    compute_capability: str  # "8.7"
    multiprocessors: int
    memory_bytes: int  # on a module that CPU and GPU share: all of it that Linux has


class Driver:
    """CUDA's driver, its first device's primary context current on the thread that opened it."""

    def __init__(self) -> None:
        """Raises EngineLibraryError without a driver, or without a GPU."""
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise EngineLibraryError(
                f"expected CUDA's driver, got none ({error}): install NVIDIA's, and see that nvidia-smi works"
                " (on a Jetson: that JetPack is whole)"
            ) from error
        self._device = c_int()
        context = c_void_p()
        self.ask("cuInit", 0)
        self.ask("cuDeviceGet", byref(self._device), 0)
        self.ask("cuDevicePrimaryCtxRetain", byref(context), self._device)
        self.ask("cuCtxSetCurrent", context)

    def ask(self, call: str, *arguments: Any) -> None:
        """``call`` the driver; EngineLibraryError with its own words where it fails."""
        if code := getattr(self._driver, call)(*arguments):
            text = c_char_p()
            self._driver.cuGetErrorString(code, byref(text))
            told = text.value.decode() if text.value else f"error {code}"
            raise EngineLibraryError(f"CUDA's driver refuses {call}: {told}")

    def gpu(self) -> Gpu:
        name, memory = create_string_buffer(256), c_size_t()
        self.ask("cuDeviceGetName", name, len(name), self._device)
        self.ask("cuDeviceTotalMem_v2", byref(memory), self._device)
        return Gpu(
            name=name.value.decode(errors="replace"),
            compute_capability=f"{self._attribute(MAJOR)}.{self._attribute(MINOR)}",
            multiprocessors=self._attribute(MULTIPROCESSORS),
            memory_bytes=memory.value,
        )

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes on the GPU; ``free`` gives them back."""
        address = c_uint64()
        self.ask("cuMemAlloc_v2", byref(address), c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        self.ask("cuMemFree_v2", c_uint64(address))

    def send(self, address: int, source: int, size: int) -> None:
        """Bytes of this process to the GPU, there before any later work of a ``stream``."""
        self.ask("cuMemcpyHtoD_v2", c_uint64(address), c_void_p(source), c_size_t(size))

    def fetch(self, target: int, address: int, size: int) -> None:
        """Bytes of the GPU to this process, all there on return."""
        self.ask("cuMemcpyDtoH_v2", c_void_p(target), c_uint64(address), c_size_t(size))

    def stream(self) -> int:
        """A stream whose work waits for what was sent before it: copies go by the legacy stream."""
        made = c_void_p()
        self.ask("cuStreamCreate", byref(made), 0)  # CU_STREAM_DEFAULT
        return made.value or 0

    def drop(self, stream: int) -> None:
        self.ask("cuStreamDestroy_v2", c_void_p(stream))

    def wait(self, stream: int) -> None:
        """Until all of ``stream`` is done; what failed in it is said here."""
        self.ask("cuStreamSynchronize", c_void_p(stream))

    def _attribute(self, number: int) -> int:
        found = c_int()
        self.ask("cuDeviceGetAttribute", byref(found), number, self._device)
        return found.value
