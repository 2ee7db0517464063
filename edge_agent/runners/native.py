"""Networks run in TensorRT, or in TensorRT for RTX: one engine, one execution context, one stream.

Both libraries have one Python API (``firmware_configs.engines``). Nothing is allocated for a row: its
numbers are written where the GPU reads them, and its answer is copied out. A plan runs as code, so one
comes from ``engine_store`` alone, and what it answers is worth nothing before its golden inputs.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import structlog

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.engine_loading import context, load
from edge_agent.runners.errors import ForeignEngineError, named
from edge_agent.runners.gpu import Buffer, Gpu
from edge_agent.runners.runner import INPUT, Matrix
from firmware_configs.engines.library import Library, listen, said
from firmware_configs.engines.refit import refit
from firmware_configs.errors import EngineBuildError
from wire.precision import Precision

log = structlog.get_logger()


class NativeRunner:
    """One engine; ``mapped`` where CPU and GPU share their memory."""

    def __init__(
        self,
        library: Library,
        gpu: Gpu,
        plan: bytes,
        precision: Precision,
        *,
        mapped: bool,
        weights: bytes = b"",
        outputs: Sequence[str] = (),
    ) -> None:
        """``weights``: the ONNX that a stripped plan takes them from. Raises ``InferenceError``.

        ``outputs``: their names, in the order of the answers; () for the engine's own. An engine keeps the
        names of its network and promises nothing about their order.
        """
        self.name = str(library.runtime)
        self.precision = precision
        self._gpu = gpu
        self._listener = listen(library)
        self._buffers: list[Buffer] = []
        with gpu.current():
            try:
                self._engine = self._load(library, plan, weights)
                self._bind(library, outputs, mapped=mapped)
            except BaseException:
                self._release()
                raise

    def run(self, features: Matrix) -> Matrix:
        """[n, width] to [n, k], in the order of ``outputs``; any n from 1."""
        if features.ndim != 2 or features.shape[1] != self.width or not len(features):
            raise FeatureMismatchError(f"expected features of width {self.width}, got {features.shape}")
        starts = range(0, len(features), self.rows)
        parts = [self._some(features[start : start + self.rows]) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        try:
            with self._gpu.current():
                self._release()
        except InferenceError as error:  # a context that a kernel broke takes everything with it
            log.warning("GPU memory not given back", runner=self.name, reason=str(error))

    def _some(self, features: Matrix) -> Matrix:
        count = len(features)
        with self._gpu.current():
            if self._context is None:
                raise InferenceError(f"{self.name}: this engine is closed")
            if count != self._shaped:
                self._shape(count)
            self._input.host[:count] = features
            self._input.send(count, self._stream)
            if not self._context.execute_async_v3(self._stream.handle):
                raise self._complaint("does not run the engine")
            for output in self._outputs:
                output.fetch(count, self._stream)
            self._stream.synchronize()
            return np.concatenate([output.host[:count] for output in self._outputs], axis=1)

    def _load(self, library: Library, plan: bytes, weights: bytes) -> Any:
        self._runtime, engine = load(library, plan, self._listener)
        if weights:
            try:
                refit(library, engine, weights)
            except EngineBuildError as error:
                raise InferenceError(str(error)) from error
        return engine

    def _bind(self, library: Library, outputs: Sequence[str], *, mapped: bool) -> None:
        """Memory for every tensor, as large as the engine's profile allows, at addresses that stay."""
        trt, engine = library.module, self._engine
        names = [engine.get_tensor_name(place) for place in range(engine.num_io_tensors)]
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if inputs != [INPUT]:
            raise ForeignEngineError(f"expected an engine with one input {INPUT!r}, got {inputs}")
        for name in names:
            if engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
                raise ForeignEngineError(f"expected float32 in {name}, got {engine.get_tensor_dtype(name)}")
        largest = tuple(engine.get_tensor_profile_shape(INPUT, 0)[2])
        if len(largest) != 2:
            raise ForeignEngineError(f"expected an engine for features [n, width], got up to {largest}")
        self.rows, self.width = map(int, largest)
        own = [name for name in names if name != INPUT]
        if outputs and sorted(outputs) != sorted(own):
            raise ForeignEngineError(
                f"expected an engine that answers {', '.join(outputs)}, got one that answers {', '.join(own)}"
            )
        self.outputs = tuple(outputs or own)
        self._context = context(library, engine)
        if self._context is None:
            raise self._complaint("makes no execution context")
        self._stream = self._gpu.stream()
        self._shaped = 0
        for name in names:
            width = self.width if name == INPUT else _width(name, tuple(engine.get_tensor_shape(name)))
            buffer = Buffer(self._gpu, self.rows, width, mapped=mapped)
            self._buffers.append(buffer)
            if not self._context.set_tensor_address(name, buffer.address):
                raise self._complaint(f"takes no address for {name}")
        by_name = dict(zip(names, self._buffers, strict=True))
        self._input = by_name[INPUT]
        self._outputs = [by_name[name] for name in self.outputs]

    def _shape(self, count: int) -> None:
        if not self._context.set_input_shape(INPUT, (count, self.width)):
            raise self._complaint(f"takes no {count} rows")
        self._shaped = count

    def _complaint(self, what: str) -> InferenceError:
        return named(f"{self.name} {what}: {said(self._listener)}")

    def _release(self) -> None:
        """Context before engine before runtime, as NVIDIA asks; then the memory they worked in."""
        self._context = self._engine = self._runtime = self._stream = None
        while self._buffers:
            self._buffers.pop().close()


def _width(name: str, shape: tuple[int, ...]) -> int:
    """Numbers a row of an output [n, ...]."""
    if not shape or min(shape[1:], default=1) < 1:
        raise ForeignEngineError(f"expected a fixed number of {name} a row, got shape {shape}")
    return math.prod(shape[1:])
