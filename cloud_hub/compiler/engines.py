"""Compiling a bundle for a target, and hearing what the engine answers before anybody may sign it.

Where a GPU of the target is here, the engine itself answers the golden inputs. Where none is, which only
TensorRT for RTX allows, the network does, in ONNX Runtime: the engine then says that nobody has heard it.
Every device hears it before it uses it, whoever compiled it: golden inputs at each load, on that very GPU.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cloud_hub.compiler.parity import Comparison, compare
from cloud_hub.compiler.targets import check_host
from cloud_hub.compiler.workshop import Workshop
from cloud_hub.errors import ConflictError
from firmware_configs.engines.execute import Execution
from firmware_configs.engines.gpu import Driver
from firmware_configs.engines.library import Library, find
from firmware_configs.errors import EngineLibraryError
from firmware_configs.profiles import Profile, Runtime
from models.graphs import Runner
from wire.bundle import Bundle
from wire.engine import Engine, EngineKey, EngineManifest
from wire.precision import Precision

TIMED = 200  # single rows, of which the median is told
FARTHEST = 1e9  # of a share that is told: an answer that is no number has none

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compiled:
    engine: Engine
    comparison: Comparison  # of the engine where a GPU ran it, else of its network on a CPU
    latency_ms: float  # of one row, where it was compared: median
    seconds: float  # of building


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Builder:
    """One bundle, for one target, on this host."""

    bundle: Bundle
    shop: Workshop
    driver: Driver | None  # of this host's GPU, where that is one of the target

    @classmethod
    def of(cls, bundle: Bundle, profile: Profile, *, folder: Path | None = None, refit: bool = False) -> Self:
        """With what is here; ``folder`` and ``refit`` as in ``Workshop``.

        EngineLibraryError without the library; ConflictError or that where TensorRT finds no GPU of the
        target, and where there is none to refit on.
        """
        library, driver = find(profile.runtime), _driver(profile)
        if refit and driver is None:
            raise ConflictError(
                f"expected a GPU of {profile.target} for --refit, got none: compile without it, which takes a"
                " moment longer and no GPU"
            )
        shop = Workshop(library=library, profile=profile, folder=folder, refit=refit)
        return cls(bundle=bundle, shop=shop, driver=driver)

    @property
    def profile(self) -> Profile:
        return self.shop.profile

    @property
    def library(self) -> Library:
        return self.shop.library

    def key(self, precision: Precision) -> EngineKey:
        """What the engine is asked for by: devices make the same out of what they have."""
        return EngineKey(
            use_case=self.bundle.manifest.use_case,
            version=self.bundle.manifest.version,
            onnx_sha256=hashlib.sha256(self._network(precision)).hexdigest(),
            target=self.profile.target,
            runtime=str(self.library.runtime),
            runtime_version=self.library.version,
            precision=precision,
        )

    def compile(self, precision: Precision, now: datetime) -> Compiled:
        """The engine, compared with the golden outputs; EngineBuildError where none can be built."""
        plan, seconds = self.shop.plan(self._network(precision), precision)
        found, latency = self._heard(plan, precision)
        comparison = compare(self.bundle.manifest, self.bundle.golden_outputs, found, precision)
        manifest = EngineManifest(
            key=self.key(precision),
            compute_capabilities=self.profile.compute_capabilities,
            stripped=False,
            worst=min(comparison.farthest.share, FARTHEST),
            built=now.isoformat(timespec="seconds"),
            compared_on=self.driver.gpu().name if self.driver else "",
        )
        engine = Engine(manifest=manifest, plan=plan)
        return Compiled(engine=engine, comparison=comparison, latency_ms=latency, seconds=seconds)

    def _heard(self, plan: bytes, precision: Precision) -> tuple[Floats, float]:
        """What ``plan`` answers on the GPU here; without one, what its network answers on the CPU."""
        names = [output.name for output in self.bundle.manifest.outputs]
        rows = self.bundle.golden_inputs
        if self.driver is None:
            return _asked(Runner(self._network(precision), names).run, rows)
        with Execution(self.library, plan, self.driver) as execution:
            found, latency = _asked(execution.run, rows)
            return found[:, [execution.outputs.index(name) for name in names]], latency

    def _network(self, precision: Precision) -> bytes:
        network = self.bundle.network(precision)
        assert network is not None, "precisions are chosen out of those that the bundle has"
        return network


def _driver(profile: Profile) -> Driver | None:
    """The driver of this host's GPU where that is one of ``profile``; TensorRT does nothing without."""
    try:
        driver = Driver()
        check_host(profile, driver.gpu())
    except (ConflictError, EngineLibraryError):
        if profile.runtime is Runtime.TENSORRT:
            raise
        return None
    return driver


def _asked(run: Callable[[Floats], Floats], rows: Floats) -> tuple[Floats, float]:
    """The answers to ``rows``, and the milliseconds that one row takes: the median of ``TIMED``."""
    found, spent = run(rows), []
    for place in range(TIMED):
        row = rows[place % len(rows)][None]
        began = time.perf_counter()
        run(row)
        spent.append(time.perf_counter() - began)
    return found, float(np.median(spent)) * 1e3
