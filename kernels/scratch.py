"""Memory that a thread works in, window after window: taken once, so that the next window allocates none.

Extractors are shared by machines and threads, hence the memory is the thread's and not
theirs. Nothing that leaves a kernel lies in it.
"""

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch(threading.local):
    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def array(self, use: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """An array whose content is left over; this thread's next call for the same ``use`` overwrites it."""
        size = math.prod(shape)
        held = self._held.get(use)
        if held is None or held.size < size:
            held = self._held[use] = np.empty(size, dtype)
        return held[:size].reshape(shape)
