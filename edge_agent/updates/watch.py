"""What a model on probation does, counted as the pipeline tells it."""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edge_agent.runners.standing import Taken
from edge_agent.updates.disagreement import Comparison
from edge_agent.updates.probation import Evidence
from wire.manifest import Manifest

COMPARED = 4096  # newest answers and latencies that are looked at
ROUNDING = 1e-6  # of an output's range: a network clips in float32
MEBIBYTE = 1 << 20

Matrix = npt.NDArray[np.float32]
Row = tuple[float, ...]


class Watch:
    """Counts of one probation; ``count`` is called by the pipeline, the rest by the updater."""

    def __init__(
        self,
        manifest: Manifest,
        old: Manifest | None = None,
        *,
        started_us: int,
        restarts: int,
        memory: Callable[[], int | None],
    ) -> None:
        self._comparison = Comparison.of(manifest, old or manifest)
        low = np.array([output.low for output in manifest.outputs], dtype=np.float64)
        high = np.array([output.high for output in manifest.outputs], dtype=np.float64)
        slack = ROUNDING * (high - low)
        self._low, self._high = low - slack, high + slack
        self._outputs_of_old = len((old or manifest).outputs)
        self._started_us = started_us
        self._restarts = restarts
        self._memory = memory
        self._began_with = memory()
        self._lock = threading.Lock()
        self._predictions = self._errors = self._bad = 0
        self._pairs: deque[tuple[Row, Row]] = deque(maxlen=COMPARED)
        self._seconds: deque[float] = deque(maxlen=COMPARED)

    def count(
        self,
        asked: int,
        outputs: Matrix | None,
        old_outputs: Matrix | None,
        seconds: float,
        error: Exception | None,
    ) -> None:
        """Note one call for ``asked`` rows; ``outputs`` [n, k] or [k], None where the model raised."""
        with self._lock:
            self._seconds.append(seconds)
            if error is not None or outputs is None:
                self._predictions += asked
                self._errors += asked
                return
            rows = np.atleast_2d(np.asarray(outputs, dtype=np.float64))
            self._predictions += len(rows)
            self._bad += self._unsound(rows)
            if old_outputs is not None:
                self._compare(rows, np.atleast_2d(np.asarray(old_outputs, dtype=np.float64)))

    def evidence(self, now_us: int) -> Evidence:
        memory_mb = self._grown_mb()
        with self._lock:
            pairs = np.array(self._pairs, dtype=np.float64).reshape(
                len(self._pairs), 2, len(self._comparison.names)
            )
            return Evidence(
                predictions=self._predictions,
                errors=self._errors,
                bad=self._bad,
                compared=", ".join(self._comparison.names),
                disagreement=self._comparison.measure(pairs[:, 0], pairs[:, 1]),
                p99_ms=Taken.of(self._seconds).p99_s * 1000 if self._seconds else None,
                hours=max(0, now_us - self._started_us) / 3.6e9,
                restarts=self._restarts,
                memory_mb=memory_mb,
            )

    def _compare(self, rows: npt.NDArray[np.float64], old: npt.NDArray[np.float64]) -> None:
        if (rows.shape[1], old.shape[1]) == (len(self._low), self._outputs_of_old) and len(rows) == len(old):
            new, was = rows[:, self._comparison.new], old[:, self._comparison.old]
            self._pairs.extend(zip(map(tuple, new.tolist()), map(tuple, was.tolist()), strict=True))

    def _grown_mb(self) -> float | None:
        takes = self._memory()
        if takes is None or self._began_with is None:
            return None
        return (takes - self._began_with) / MEBIBYTE

    def _unsound(self, rows: npt.NDArray[np.float64]) -> int:
        if rows.shape[1] != len(self._low):
            return len(rows)
        sound = np.isfinite(rows) & (rows >= self._low) & (rows <= self._high)
        return len(rows) - int(np.count_nonzero(sound.all(axis=1)))
