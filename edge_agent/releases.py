"""What the pipeline needs of the updates: which networks to run now, and someone to tell how they did."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_agent.runners.runner import Runner
from wire.manifest import Manifest

Matrix = npt.NDArray[np.float32]


class Release(Protocol):
    @property
    def release(self) -> str: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def runner(self) -> Runner: ...


class Releases(Protocol):
    """``edge_agent.updates.Updates`` is one."""

    def running(self) -> Mapping[str, Release]:
        """By use case, what to predict with now."""

    def shadow(self, use_case: str) -> Release | None:
        """The old release while a new one is on probation."""

    def observe(
        self,
        use_case: str,
        features: Matrix,
        outputs: Matrix | None,
        old_outputs: Matrix | None,
        *,
        seconds: float,
        error: Exception | None = None,
    ) -> None: ...


class NoReleases:
    """A device before its first release."""

    def running(self) -> Mapping[str, Release]:
        return {}

    def shadow(self, use_case: str) -> Release | None:
        return None

    def observe(
        self,
        use_case: str,
        features: Matrix,
        outputs: Matrix | None,
        old_outputs: Matrix | None,
        *,
        seconds: float,
        error: Exception | None = None,
    ) -> None:
        """Nothing runs, so nothing is observed."""
