"""CUDA work that is recorded once and launched again with one call.

A launch costs microseconds of the processor, and a window is a dozen of them: copies, the kernel, the layers
of a network. Recorded they are one. The rules of recording are CUDA's (programming guide, "CUDA graphs"):
nothing may be allocated, loaded or waited for meanwhile, and addresses and shapes stay what they were.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from edge_agent.errors import InferenceError
from edge_agent.runners.recorded.cuda_driver import Cuda


class CudaGraph:
    """What was recorded, to be launched on the stream it was recorded on."""

    def __init__(self, cuda: Cuda, graph: Any) -> None:
        """Takes ``graph`` as the driver recorded it, and destroys it whether or not it can be used."""
        self._cuda = cuda
        try:
            self._executable = cuda.ask("cuGraphInstantiate", graph, 0)
        finally:
            cuda.ask("cuGraphDestroy", graph)

    @classmethod
    def record(cls, cuda: Cuda, work: Callable[[], None]) -> Self:
        """Record what ``work`` puts on the stream of ``cuda``, without running it. Raises InferenceError.

        ``work`` has to have run once, so that nothing is left to compile, load or allocate. Calls of other
        threads are none of the recording's business: mode THREAD_LOCAL, as NVIDIA's trtexec has it.
        """
        mode = cuda.driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        cuda.ask("cuStreamBeginCapture", cuda.stream, mode)
        try:
            with _nothing_collected():
                work()
        except BaseException:
            _abandon(cuda)
            raise
        return cls(cuda, cuda.ask("cuStreamEndCapture", cuda.stream))

    def launch(self) -> None:
        self._cuda.ask("cuGraphLaunch", self._executable, self._cuda.stream)

    def close(self) -> None:
        self._cuda.ask("cuGraphExecDestroy", self._executable)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """An array that is garbage gives its memory back when it is found, which would break the recording."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def _abandon(cuda: Cuda) -> None:
    """End a recording that failed, so that the stream is of use again."""
    try:
        cuda.ask("cuGraphDestroy", cuda.ask("cuStreamEndCapture", cuda.stream))
    except InferenceError:  # a broken recording leaves no graph; what broke it is what gets told
        return
