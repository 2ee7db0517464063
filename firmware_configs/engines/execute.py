"""Running a plan where it was built, to hear what it answers before anybody signs it.

For builder hosts: plain copies, no overlap, nothing kept between rows but memory. What a device runs all
day is its own runner; both load a plan alike (``loading``), so that what is heard here is what runs there.
"""

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from firmware_configs.engines.build import ROWS
from firmware_configs.engines.gpu import Driver
from firmware_configs.engines.library import Library, listen, said
from firmware_configs.engines.loading import context, load
from firmware_configs.errors import EngineBuildError

FLOAT32 = 4  # bytes

Floats = npt.NDArray[np.float32]


class Execution:
    """``plan`` loaded on this host's GPU; use it in a ``with`` block, on one thread."""

    def __init__(self, library: Library, plan: bytes, driver: Driver) -> None:
        """Raises EngineBuildError where the plan is for another GPU or library."""
        self._driver, self._listener = driver, listen(library)
        self._memory: dict[str, int] = {}
        self._stream = driver.stream()
        try:
            self._load(library, plan)
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def run(self, features: Floats) -> Floats:
        """float32 [n, width] -> float32 [n, outputs], in the order of ``outputs``; n at most 1000."""
        value = np.ascontiguousarray(features, np.float32)
        (name,) = self._inputs
        if not self._context.set_input_shape(name, value.shape):
            raise EngineBuildError(f"the engine takes no {value.shape}: {said(self._listener)}")
        self._driver.send(self._memory[name], value.ctypes.data, value.nbytes)
        if not self._context.execute_async_v3(self._stream):
            raise EngineBuildError(f"the engine does not run: {said(self._listener)}")
        self._driver.wait(self._stream)
        return np.concatenate([self._fetch(output, len(value)) for output in self.outputs], axis=1)

    def _load(self, library: Library, plan: bytes) -> None:
        self._runtime, self._engine = load(library, plan, self._listener)
        self._context = context(library, self._engine)
        if self._context is None:
            raise EngineBuildError(f"the engine has no room to run in here: {said(self._listener)}")
        names = [self._engine.get_tensor_name(place) for place in range(self._engine.num_io_tensors)]
        modes = {name: self._engine.get_tensor_mode(name) for name in names}
        self._inputs = [name for name in names if modes[name] == library.module.TensorIOMode.INPUT]
        self.outputs = tuple(name for name in names if name not in self._inputs)
        for name in names:
            self._memory[name] = self._driver.allocate(self._bytes(name))
            self._context.set_tensor_address(name, self._memory[name])

    def _release(self) -> None:
        self._context = self._engine = self._runtime = None  # before the memory they work in
        while self._memory:
            self._driver.free(self._memory.popitem()[1])
        self._driver.drop(self._stream)

    def _fetch(self, output: str, rows: int) -> Floats:
        found = np.empty((rows, math.prod(self._sizes(output))), np.float32)
        self._driver.fetch(found.ctypes.data, self._memory[output], found.nbytes)
        return found

    def _bytes(self, name: str) -> int:
        """What the tensor ``name`` takes for the most rows; the number of rows is its first size."""
        return ROWS[-1] * math.prod(self._sizes(name)) * FLOAT32

    def _sizes(self, name: str) -> list[int]:
        """Of one row of the tensor ``name``."""
        return [*self._engine.get_tensor_shape(name)][1:]
