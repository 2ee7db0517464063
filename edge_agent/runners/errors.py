"""Why an execution cannot be had, or stopped answering, each by its own name."""

from edge_agent.errors import EdgeError, InferenceError


class UnavailableError(InferenceError):
    """A library or a part of one is not installed here: while the agent runs, asking again is no use."""


class DriverError(InferenceError):
    """NVIDIA's driver is missing, too old, or answers for no GPU."""


class GpuMemoryError(InferenceError):
    """The GPU has no memory left for this."""


class ForeignEngineError(InferenceError):
    """The engine was compiled for another GPU or by another version, or is no engine at all."""


class NoEngineError(InferenceError):
    """There is no engine of this network here yet: it has to be compiled first."""


def failure(error: Exception) -> EdgeError:
    """What a library raised, whatever that is, as an error of ours.

    Without the frames it came through: they would keep alive what they hold of a GPU.
    """
    if isinstance(error, EdgeError):
        return error.with_traceback(None)
    return InferenceError(f"{type(error).__name__}: {told(error)}")


def told(error: BaseException) -> str:
    """The first line of ``error``, which a library may have written; never empty."""
    return str(error).strip().split("\n")[0][:300] or type(error).__name__


# What TensorRT, TensorRT for RTX and CUDA say when one of these is the matter, in lower case.
_SIGNS: tuple[tuple[type[InferenceError], tuple[str, ...]], ...] = (
    (GpuMemoryError, ("out of memory", "outofmemory", "out_of_memory", "cudaerror 2:", "cuda error 2:")),
    (
        DriverError,
        (
            "driver version is insufficient", "insufficient driver", "no cuda-capable device",
            "libcuda.so", "cudaerror 35", "cuda initialization failure", "system driver mismatch",
        ),
    ),
    (
        ForeignEngineError,
        (
            "serialization", "magic", "engine plan file", "not compatible with", "incompatible",
            "compute capability", "expecting library version",
        ),
    ),
)  # fmt: skip


def named(said: str) -> InferenceError:
    """The error whose name fits what a library said."""
    lower = said.lower()
    for kind, signs in _SIGNS:
        if any(sign in lower for sign in signs):
            return kind(said)
    return InferenceError(said)
