"""The GPU of this thread's context: its primary one, so that TensorRT and PyCUDA see the same memory."""

from dataclasses import dataclass

from numba import cuda
from numba.core import config

from kernels.cuda_errors import CudaUnavailableError, named, simulated

SIMULATED_SHARED = (
    232_448  # bytes a block may have on compute capability 9.0 (CUDA programming guide, table 27)
)

# A machine has four channels: too few blocks for a GPU, and nothing can be done about it.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    name: str
    shared_limit: int  # bytes a block may have
    unified: bool  # GPU and processor share memory, as on Jetson: nothing need be copied


def find_device() -> Device:
    """CudaUnavailableError where there is no GPU, or no driver for it."""
    if simulated():
        return Device(name="simulator", shared_limit=SIMULATED_SHARED, unified=False)
    with named("looking for a GPU"):
        if not cuda.is_available():
            raise CudaUnavailableError(f"looking for a GPU: expected one, got: {_why()}")
        found = cuda.get_current_device()
        name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
        return Device(
            name=name,
            shared_limit=found.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
            unified=bool(found.INTEGRATED and found.CAN_MAP_HOST_MEMORY),
        )


def _why() -> str:
    """What the driver says; ``is_available`` only says no."""
    error = cuda.cuda_error()
    return " ".join(str(error).split()) if error else "a driver, but no device"


def allow_shared(kernel, signature: tuple, size: int) -> None:
    """Let ``kernel`` have ``size`` bytes of shared memory: more than 48 KiB only on request.

    Numba has no call for it, so this goes to the driver as Numba's own ``set_shared_memory_carveout`` does.
    """
    if simulated() or size <= 48 * 1024:
        return
    from numba.cuda.cudadrv.driver import binding, driver  # noqa: PLC0415  not in the simulator

    compiled = kernel.compile(signature)._codelibrary.get_cufunc()
    attribute = binding.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    driver.cuKernelSetAttribute(attribute, size, compiled.handle, compiled.device.id)
