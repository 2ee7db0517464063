"""What a host keeps from one build to the next: how long tactics took, and engines without their weights.

A retrained network of the same shape needs no rebuild then: its weights go into the engine that is there.
Both are this host's own and loaded as code, so they lie where nobody else writes: never beside what a stick
carries to the hub.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from cloud_hub.compiler.shapes import shape_of
from cloud_hub.config import default_root
from cloud_hub.files import private_folder, write_private
from firmware_configs.engines.build import Built, build, workspace_bytes
from firmware_configs.engines.library import Library
from firmware_configs.engines.refit import refitted
from firmware_configs.profiles import Profile, Runtime
from wire.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Builds with ``library`` for ``profile``; without a ``folder`` it keeps nothing.

    ``refit`` puts weights into an engine of the same shape, which takes a folder and a GPU of the target.
    """

    library: Library
    profile: Profile
    folder: Path | None = None
    refit: bool = False

    def plan(self, network: bytes, precision: Precision) -> tuple[bytes, float]:
        """The plan of ``network``, and the seconds that it took. Raises EngineBuildError."""
        began = time.perf_counter()
        made = self._refitted(network, precision) if self.refit else self._built(network, precision).plan
        return made, time.perf_counter() - began

    def _refitted(self, network: bytes, precision: Precision) -> bytes:
        assert self.folder is not None, "an engine to refit has a place to lie in"
        path = self.folder / f"{self._name}.{precision}.{shape_of(network)[:16]}.stripped"
        if not path.exists():
            _keep(path, self._built(network, precision, strip=True).plan)
        return refitted(self.library, path.read_bytes(), network)

    @property
    def _name(self) -> str:
        return f"{self.profile.target}.{self.library.version}"

    def _built(self, network: bytes, precision: Precision, *, strip: bool = False) -> Built:
        ahead = self.profile.runtime is Runtime.TENSORRT_RTX
        known = self.folder / f"{self._name}.timings" if self.folder else None
        built = build(
            self.library,
            network,
            compute_capabilities=self.profile.compute_capabilities if ahead else (),
            tf32=precision is Precision.TF32,
            strip=strip,
            workspace_bytes=workspace_bytes(self.profile),
            timing_cache=known.read_bytes() if known and known.exists() else b"",
        )
        if known and built.timing_cache:
            _keep(known, built.timing_cache)
        return built


def workshop_of(target: str) -> Path:
    """The folder for ``target`` of whoever compiles on a builder host, without a hub's state."""
    return default_root() / "builds" / target


def _keep(path: Path, content: bytes) -> None:
    private_folder(path.parent)
    write_private(path, content)
