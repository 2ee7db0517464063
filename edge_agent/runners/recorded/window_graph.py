"""Features and prediction of one window in a single launch: kernel and engine, recorded as one CUDA graph.

A window is copied once (not at all where GPU and processor share memory); the kernel writes its features into
the engine's own input; row and outputs come back together. Any failure is an InferenceError, or the
KernelInputError that the CPU twin raises too, and whoever asked answers the same window otherwise.

Not part of the agent's line: there a row is made, kept and sent before anybody is asked about it, several
releases may be asked about one, and no device has shown yet that the time between kernel and engine is worth
giving that up. ``andon bench gpu`` and ``make gpu-check`` run this, and measure it, on real devices.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.errors import named, told
from edge_agent.runners.recorded.cuda_driver import Block, Cuda
from edge_agent.runners.recorded.cuda_graph import CudaGraph
from edge_agent.runners.recorded.engine_row import EngineRow
from edge_agent.runners.recorded.window_layout import WindowLayout, speed_of
from edge_agent.runners.runner import Matrix
from kernels.errors import KernelInputError
from kernels.extractor import read_window
from kernels.vibration import SHORTEST, VibrationExtractor


class Kernel(Protocol):
    """The fused kernel for windows of one shape, rate and bearing: ``kernels.cuda.FusedWindows``."""

    @property
    def lines(self) -> int:
        """How many ranges of bins it takes."""

    def ranges(self, speed_hz: float | None) -> npt.NDArray[np.int32]:
        """[lines, 2]: in which bins each line may show at this speed."""

    def put(self, *, windows: int, ranges: int, rows: int, stream: int) -> None:
        """Put one run on ``stream``; windows, ranges and the row it makes are addresses on the GPU."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    row: Matrix  # [width]
    outputs: Matrix  # [1, k], the engine's outputs in its own order


class WindowGraph:
    """For one machine's windows of ``length`` samples and one engine; not thread-safe."""

    def __init__(
        self,
        extractor: VibrationExtractor,
        kernel: Kernel,
        engine: EngineRow,
        cuda: Cuda,
        *,
        length: int,
        mapped: bool,
        recorded: bool = True,
    ) -> None:
        """``extractor``: see ``window_layout.check_extractor``. ``engine`` and ``cuda`` stay their owner's.

        ``mapped`` where GPU and processor share memory. Without ``recorded`` the same work is launched
        piece by piece, which every engine allows. Raises InferenceError.
        """
        self._extractor, self._kernel, self._engine, self._cuda = extractor, kernel, engine, cuda
        self._length = length
        self._layout = WindowLayout.of(
            channels=len(extractor.waveforms),
            length=length,
            lines=kernel.lines,
            width=extractor.width,
            outputs=engine.outputs,
        )
        with ExitStack() as opened:
            self._block = Block(cuda, self._layout.size, mapped=mapped)
            opened.callback(self._block.close)
            self._launch = self._prepare(opened, recorded=recorded)
            self._opened = opened.pop_all()

    def run(self, windows: Sequence[Matrix], scalars: npt.NDArray[np.float64]) -> Answered:
        """``windows``: [length] of each waveform, in order; ``scalars``: the last value of each, all known.

        Raises KernelInputError for what no twin takes, InferenceError for all else.
        """
        self._write(windows, scalars)
        self._cuda.use()
        self._launch()
        self._cuda.wait()
        row = self._layout.row.view(self._block.host)[0].copy()
        outputs = [part.view(self._block.host) for part in self._layout.outputs.values()]
        if np.isnan(row).any():
            raise InferenceError("the kernel answered NaN for a window of finite samples")
        return Answered(row=row, outputs=np.concatenate(outputs, axis=1))

    def close(self) -> None:
        """Gives memory and graph back; a context that a kernel broke takes them with the process."""
        with suppress(InferenceError):
            self._cuda.use()
            self._cuda.wait()
        with suppress(InferenceError):
            self._opened.close()

    def _prepare(self, opened: ExitStack, *, recorded: bool) -> Callable[[], None]:
        """What a run launches, after one run that compiles, loads and settles all there is to."""
        at = self._block.device
        self._engine.bind(
            at + self._layout.row.start,
            {name: at + part.start for name, part in self._layout.outputs.items()},
        )
        try:
            self._cuda.ask(
                "cuCtxSynchronize"
            )  # the kernel's tables came on a stream that ours does not wait for
            self._put()
            self._cuda.wait()
            if not recorded:
                return self._put
            self._engine.check_recordable(int(self._cuda.stream))
            graph = CudaGraph.record(self._cuda, self._put)
        except (InferenceError, KernelInputError):
            raise
        except Exception as error:  # what Numba and TensorRT raise has no common base below Exception
            raise named(f"kernel and engine cannot be run together: {told(error)}") from error
        opened.callback(graph.close)
        return graph.launch

    def _put(self) -> None:
        """One window's work, in order, on the stream."""
        layout, block = self._layout, self._block
        last = list(layout.outputs.values())[-1]
        block.send(0, layout.row.stop)
        self._kernel.put(
            windows=block.device + layout.windows.start,
            ranges=block.device + layout.ranges.start,
            rows=block.device + layout.row.start,
            stream=int(self._cuda.stream),
        )
        self._engine.put(int(self._cuda.stream))
        block.fetch(layout.row.start, last.stop)

    def _write(self, windows: Sequence[Matrix], scalars: npt.NDArray[np.float64]) -> None:
        """Everything that this window brings. Of the row, the kernel writes what precedes the scalars."""
        waveforms = self._extractor.waveforms
        if len(windows) != len(waveforms):
            raise KernelInputError("windows", len(windows), f"one for each of {len(waveforms)} waveforms")
        sound = [
            read_window(window, waveform.name, shortest=SHORTEST, length=waveform.length)
            for window, waveform in zip(windows, waveforms, strict=True)
        ]
        if any(len(window) != self._length for window in sound):
            found = ", ".join(str(len(window)) for window in sound)
            raise FeatureMismatchError(f"expected windows of {self._length} samples, got {found}")
        host = self._block.host
        speed_hz = speed_of(self._extractor, scalars)
        self._layout.windows.view(host)[:] = sound
        self._layout.ranges.view(host)[:] = self._kernel.ranges(speed_hz)
        self._layout.row.view(host)[0, self._extractor.width - len(scalars) :] = scalars
