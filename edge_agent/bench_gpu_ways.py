"""The ways to answer one window of four channels that ``bench_gpu`` lets race, or why one cannot be had."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from edge_agent.bench_network import drawn
from edge_agent.errors import InferenceError
from edge_agent.runners import onnx
from edge_agent.runners.errors import UnavailableError, told
from edge_agent.runners.gpu import Gpu
from edge_agent.runners.in_time import Worker
from edge_agent.runners.native import NativeRunner
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.recorded.cuda_driver import Cuda
from edge_agent.runners.recorded.engine_row import EngineRow
from edge_agent.runners.recorded.window_graph import WindowGraph
from edge_agent.runners.recorded.window_layout import check_extractor
from firmware_configs.engines.build import build
from firmware_configs.engines.library import Library, check_gpu, find
from firmware_configs.errors import HostError
from firmware_configs.profiles import Runtime
from kernels import sets
from kernels.errors import KernelError
from wire.precision import Precision

CHANNELS, LENGTH, RATE_HZ, SPEED_HZ = 4, 4096, 12_000.0, 29.5
WORKSPACE = 256 << 20

CPU, GRAPH, PIECES, PROVIDER = "CPU", "one graph", "the same, launch by launch", "kernel, then ORT CUDA"
NATIVE_ROW, PROVIDER_ROW = "engine", "ORT CUDA"
CPU_ROW, HANDED_ROW = "the same row asked at once", "handed to a thread"

Run = Callable[[], Any]


def ways(opened: ExitStack) -> tuple[dict[str, Run], dict[str, str]]:
    """What can be run here, by name, and why the others cannot. ``opened`` closes what was made."""
    made = _Ways(opened)
    makers: dict[str, Callable[[], Run]] = {
        CPU: made.cpu,
        GRAPH: partial(made.window, recorded=True),
        PIECES: partial(made.window, recorded=False),
        PROVIDER: made.kernel_then_provider,
        NATIVE_ROW: made.native_row,
        PROVIDER_ROW: made.provider_row,
        CPU_ROW: made.cpu_row,
        HANDED_ROW: made.handed_row,
    }
    runs, reasons = {}, {}
    for name, make in makers.items():
        try:
            runs[name] = make()
        except (InferenceError, KernelError, HostError) as error:
            reasons[name] = told(error)
    return runs, reasons


def gpu_library() -> Library:
    """TensorRT, else TensorRT for RTX: what runs engines on this GPU; UnavailableError with both reasons."""
    reasons = []
    for runtime in (Runtime.TENSORRT, Runtime.TENSORRT_RTX):
        try:
            library = find(runtime)
            check_gpu(library)
        except HostError as error:
            reasons.append(told(error).partition(";")[0])
        else:
            return library
    raise UnavailableError("; ".join(reasons))


class _Ways:
    def __init__(self, opened: ExitStack) -> None:
        self._opened = opened
        waveforms = [(f"vibration_{channel}", RATE_HZ, LENGTH) for channel in range(CHANNELS)]
        made = sets.make("vibration/1", scalars=["speed"], waveforms=waveforms, units={"speed": "Hz"})
        self._extractor = check_extractor(made)
        self._windows = list(np.random.default_rng(5).normal(size=(CHANNELS, LENGTH)).astype(np.float32))
        self._row = np.zeros((1, made.width), np.float32)
        self._scalars = np.array([SPEED_HZ])
        self._network = drawn(made.width)

    def cpu(self) -> Run:
        """As an agent does it."""
        runner, state = OnnxRunner(self._network), self._extractor.initial()

        def window() -> Any:
            features = self._extractor.update(state, 0, self._scalars, self._windows)
            assert features is not None, "a reading with all its windows makes a row"
            return runner.run(features[None, :])

        return window

    def window(self, *, recorded: bool) -> Run:
        """Kernel and engine on one stream."""
        cuda = Cuda.open()
        self._opened.callback(cuda.close)
        library = gpu_library()
        plan = build(library, self._network, workspace_bytes=WORKSPACE).plan
        engine = EngineRow.load(library, plan, width=self._extractor.width)
        self._opened.callback(engine.close)
        graph = WindowGraph(
            self._extractor,
            self._kernel(),
            engine,
            cuda,
            length=LENGTH,
            mapped=cuda.shares_memory(),
            recorded=recorded,
        )
        self._opened.callback(graph.close)
        return partial(graph.run, self._windows, self._scalars)

    def kernel_then_provider(self) -> Run:
        """The kernel's row comes back and goes to ONNX Runtime on the GPU."""
        runner, kernel = self._provider(), self._kernel()

        def window() -> Any:
            features = kernel(np.stack(self._windows), speed_hz=SPEED_HZ)[0]
            return runner.run(np.concatenate([features, self._scalars], dtype=np.float32)[None, :])

        return window

    def native_row(self) -> Run:
        mapped = _shares_memory()
        library, device = gpu_library(), Gpu.open()
        plan = build(library, self._network, workspace_bytes=WORKSPACE).plan
        runner = NativeRunner(library, device, plan, Precision.FP32, mapped=mapped)
        self._opened.callback(runner.close)
        return partial(runner.run, self._row)

    def provider_row(self) -> Run:
        return partial(self._provider().run, self._row)

    def cpu_row(self) -> Run:
        return partial(OnnxRunner(self._network).run, self._row)

    def handed_row(self) -> Run:
        """As an agent asks what may hang; on the CPU, so that the handing over is all the difference."""
        worker = Worker(CPU)
        self._opened.callback(worker.end)
        return partial(worker.ask, self.cpu_row(), 1.0)

    def _kernel(self) -> Any:
        try:
            from kernels.cuda import FusedWindows  # noqa: PLC0415 - most devices have no numba-cuda
        except ImportError as error:
            raise UnavailableError(f"{told(error)}: pip install 'andon[gpu]'") from error
        orders = self._extractor.orders
        return FusedWindows(length=LENGTH, rate_hz=RATE_HZ, orders_=orders, across=CHANNELS)

    def _provider(self) -> OnnxRunner:
        runner = OnnxRunner(self._network, onnx.CUDA)
        self._opened.callback(runner.close)
        return runner


def _shares_memory() -> bool:
    cuda = Cuda.open()
    try:
        return cuda.shares_memory()
    finally:
        cuda.close()
