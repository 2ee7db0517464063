"""What a model on probation does, counted as the pipeline tells it."""

import threading
from collections import deque

import numpy as np
import numpy.typing as npt

from edge_agent.updates.probation import JUDGED_OUTPUT, Evidence, disagreement
from wire.manifest import Manifest

COMPARED = 4096  # newest pairs and latencies that are looked at
ROUNDING = 1e-6  # of an output's range: a network clips in float32

Matrix = npt.NDArray[np.float32]


class Watch:
    """Counts of one probation; ``count`` is called by the pipeline, the rest by the updater."""

    def __init__(
        self, manifest: Manifest, old: Manifest | None = None, *, started_us: int, restarts: int
    ) -> None:
        self._judged = _judged(manifest)
        self._old_judged = _judged(old or manifest)
        low = np.array([output.low for output in manifest.outputs], dtype=np.float64)
        high = np.array([output.high for output in manifest.outputs], dtype=np.float64)
        self._span = float(high[self._judged] - low[self._judged])
        slack = ROUNDING * (high - low)
        self._low, self._high = low - slack, high + slack
        self._started_us = started_us
        self._restarts = restarts
        self._lock = threading.Lock()
        self._predictions = self._errors = self._bad = 0
        self._pairs: deque[tuple[float, float]] = deque(maxlen=COMPARED)
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
                old = np.atleast_2d(np.asarray(old_outputs, dtype=np.float64))
                new = rows[:, self._judged : self._judged + 1]
                old = old[:, self._old_judged : self._old_judged + 1]
                if new.shape == old.shape:
                    self._pairs.extend(zip(new.ravel(), old.ravel(), strict=True))

    def evidence(self, now_us: int) -> Evidence:
        with self._lock:
            pairs = np.array(self._pairs, dtype=np.float64).reshape(-1, 2)
            return Evidence(
                predictions=self._predictions,
                errors=self._errors,
                bad=self._bad,
                disagreement=disagreement(pairs[:, 0], pairs[:, 1], self._span),
                p99_ms=float(np.quantile(self._seconds, 0.99)) * 1000 if self._seconds else None,
                hours=max(0, now_us - self._started_us) / 3.6e9,
                restarts=self._restarts,
            )

    def _unsound(self, rows: npt.NDArray[np.float64]) -> int:
        if rows.shape[1] != len(self._low):
            return len(rows)
        sound = np.isfinite(rows) & (rows >= self._low) & (rows <= self._high)
        return len(rows) - int(np.count_nonzero(sound.all(axis=1)))


def _judged(manifest: Manifest) -> int:
    names = [output.name for output in manifest.outputs]
    return names.index(JUDGED_OUTPUT) if JUDGED_OUTPUT in names else 0
