"""Why a GPU computes no features; the CPU twin gives the same ones, so a caller goes on with it and tells."""

from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import config
from numba.cuda.cudadrv.driver import CudaAPIError
from numba.cuda.cudadrv.error import CudaSupportError

from kernels.errors import KernelError

_NO_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY, cuda.h
_REMEDY = (
    "install a driver for this GPU that is as new as the CUDA that numba-cuda brings, or use the CPU twin"
)


class CudaUnavailableError(KernelError):
    """No GPU, no driver, or one that is too old for what was compiled."""


class CudaMemoryError(KernelError):
    """The GPU's memory is exhausted."""


class CudaFailedError(KernelError):
    """The driver refused or broke off something else."""


@contextmanager
def named(doing: str) -> Iterator[None]:
    """Errors of the driver within leave as one of the above, with what was being done: ``doing``."""
    try:
        yield
    except CudaSupportError as error:
        raise CudaUnavailableError(
            f"{doing}: expected a working CUDA driver, got: {_text(error)}; {_REMEDY}"
        ) from error
    except CudaAPIError as error:
        raise _told(doing, error) from error
    except Exception as error:
        if type(error).__name__ != "CUDAError":  # cuda.core's, which it keeps to itself
            raise
        raise _told(doing, error) from error


def _told(doing: str, error: Exception) -> KernelError:
    text = _text(error)
    if getattr(error, "code", None) == _NO_MEMORY or "OUT_OF_MEMORY" in text:
        return CudaMemoryError(
            f"{doing}: expected enough GPU memory, got: {text}; take fewer windows at a time"
        )
    if "UNSUPPORTED_PTX_VERSION" in text or "INSUFFICIENT_DRIVER" in text or "NO_BINARY_FOR_GPU" in text:
        return CudaUnavailableError(f"{doing}: expected a newer driver, got: {text}; {_REMEDY}")
    return CudaFailedError(f"{doing}: {text}")


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def simulated() -> bool:
    return bool(config.ENABLE_CUDASIM)
