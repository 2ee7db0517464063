"""Memory that a thread works in, window after window: taken once, so that the next window allocates none.

Extractors are shared by machines and threads, hence the memory is the thread's and not
theirs. Nothing that leaves a kernel lies in it.
"""

import math
import threading

import numpy as np
from numpy.typing import NDArray


class Scratch(threading.local):
    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.float32]] = {}

    def array(self, use: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """float32, whose content is left over; this thread's next call for the same ``use`` overwrites it."""
        size = math.prod(shape)
        held = self._held.get(use)
        if held is None or held.size < size:
            held = self._held[use] = np.empty(size, np.float32)
        return held[:size].reshape(shape)
