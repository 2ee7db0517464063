"""A TensorRT engine that answers one row at fixed addresses: the form in which its work can be recorded.

TensorRT for RTX is asked whether a stream can be recorded at all (NVIDIA, "Working with RTX CUDA graphs":
IExecutionContext.isStreamCapturable).
"""

from collections.abc import Mapping
from typing import Any, Self

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.engine_loading import context, load
from firmware_configs.engines.library import Library, listen
from firmware_configs.profiles import Runtime

ALIGNED = 256  # bytes that TensorRT wants an address to be a multiple of


class EngineRow:
    """``outputs``: how many values each output has, in the engine's own order."""

    def __init__(self, library: Library, engine: Any, *, width: int) -> None:
        """``engine``: deserialised, with its weights. Raises InferenceError where it takes no such row."""
        self._library, self._engine = library, engine
        self._kept: tuple[Any, ...] = ()  # what the engine lives on, where nobody else keeps it
        self._context = context(library, engine)
        if self._context is None:
            raise InferenceError(f"{library.runtime} {library.version} has no memory to run the engine")
        names = [engine.get_tensor_name(place) for place in range(engine.num_io_tensors)]
        self._input = self._only_input(names)
        self._fix(width)
        self.outputs: Mapping[str, int] = {name: self._values(name) for name in names if name != self._input}

    @classmethod
    def load(cls, library: Library, plan: bytes, *, width: int) -> Self:
        """Of a plan that holds its weights, in the context that is current. Raises InferenceError."""
        listener = listen(library)
        runtime, engine = load(library, plan, listener)
        made = cls(library, engine, width=width)
        made._kept = (runtime, listener)
        return made

    def bind(self, row: int, outputs: Mapping[str, int]) -> None:
        """Where the row lies, where each output goes: addresses on the GPU, multiples of ``ALIGNED``."""
        for name, address in {self._input: row, **outputs}.items():
            if address % ALIGNED or not self._context.set_tensor_address(name, address):
                raise InferenceError(f"the engine does not take address {address:#x} for {name}")

    def put(self, stream: int) -> None:
        """Put one run on ``stream``, which must not be the default one. The first one also settles shapes."""
        if not self._context.execute_async_v3(stream):
            raise InferenceError(f"{self._library.runtime} {self._library.version} does not run the engine")

    def check_recordable(self, stream: int) -> None:
        """Raises InferenceError where the library says that it cannot be recorded; TensorRT always can."""
        if self._library.runtime is not Runtime.TENSORRT_RTX or self._context.is_stream_capturable(stream):
            return
        raise InferenceError(
            f"{self._library.runtime} {self._library.version} says that this engine cannot be recorded:"
            " it takes memory while it runs"
        )

    def close(self) -> None:
        """After the stream is empty. Context before engine before runtime, as NVIDIA asks."""
        self._context = self._engine = None
        self._kept = ()

    def _only_input(self, names: list[str]) -> str:
        trt, engine = self._library.module, self._engine
        inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        if len(inputs) != 1:
            raise FeatureMismatchError(
                f"expected an engine with one input, got {', '.join(inputs) or 'none'}"
            )
        for name in names:
            if engine.get_tensor_dtype(name) != trt.float32:
                found = engine.get_tensor_dtype(name)
                raise FeatureMismatchError(f"expected an engine with float32 at {name}, got {found}")
        return inputs[0]

    def _fix(self, width: int) -> None:
        """One row from here on. A dimension that may vary is -1 in what the engine says of itself."""
        shape = tuple(self._engine.get_tensor_shape(self._input))
        if len(shape) != 2 or shape[0] not in (1, -1) or shape[1] != width:
            raise FeatureMismatchError(f"expected an engine for rows of {width} features, got {shape}")
        if not self._context.set_input_shape(self._input, (1, width)):
            raise InferenceError("the engine was not built for single rows")
        if missing := self._context.infer_shapes():
            raise InferenceError(f"the engine has no shape for {', '.join(missing)}")

    def _values(self, name: str) -> int:
        shape = tuple(self._context.get_tensor_shape(name))
        if len(shape) != 2 or shape[0] != 1 or shape[1] < 1:
            raise FeatureMismatchError(f"expected one row of output {name}, got {shape}")
        return int(shape[1])
