"""What the hub asks of an engine before it signs it, as far as anybody can tell who does not run it.

Whoever brings one says what it is; this holds the saying against the release, the target and the plan's own
first bytes. What it answers is only heard on a GPU of its target: there by its builder host, and by every
device at each load.
"""

import hashlib
import re
from datetime import datetime

from cloud_hub.errors import ConflictError
from firmware_configs.engines.plans import check_plan
from firmware_configs.errors import EngineBuildError
from firmware_configs.profiles import Profile, Runtime
from wire.bundle import Bundle
from wire.engine import Engine, EngineManifest

VERSION = re.compile(r"\d+(\.\d+){1,4}")  # of a library: it becomes part of a path


def check_brought(engine: Engine, bundle: Bundle, profile: Profile) -> None:
    """ConflictError for an ``engine`` that is not of this very release and target, or must not be signed."""
    _check_key(engine.manifest, bundle, profile)
    _check_told(engine.manifest, profile)
    try:
        check_plan(engine.plan, profile.runtime, engine.manifest.key.runtime_version)
    except EngineBuildError as error:
        raise ConflictError(f"{engine.manifest.key.name}: {error}: compile it anew") from error


def _check_key(manifest: EngineManifest, bundle: Bundle, profile: Profile) -> None:
    key = manifest.key
    network = bundle.network(key.precision)
    expected = {
        "use case": bundle.manifest.use_case,
        "version": bundle.manifest.version,
        "target": profile.target,
        "runtime": str(profile.runtime),
        "network": hashlib.sha256(network).hexdigest() if network else f"one in {key.precision}",
        "compute capability": ", ".join(profile.compute_capabilities),
    }
    capabilities = ", ".join(manifest.compute_capabilities)
    found = (key.use_case, key.version, key.target, key.runtime, key.onnx_sha256, capabilities)
    for (what, wanted), got in zip(expected.items(), found, strict=True):
        if wanted != got:
            raise ConflictError(f"expected an engine of {what} {wanted}, got one of {got}: compile it anew")
    if key.precision not in profile.precisions:
        raise ConflictError(
            f"expected an engine in {' or '.join(profile.precisions)} for {profile.target}, got one in"
            f" {key.precision}"
        )


def _check_told(manifest: EngineManifest, profile: Profile) -> None:
    version = manifest.key.runtime_version
    if not VERSION.fullmatch(version):
        raise ConflictError(f"expected an engine of a version such as 10.16.2.10, got {version!r:.99}")
    try:
        datetime.fromisoformat(manifest.built)
    except ValueError as error:
        raise ConflictError(f"expected the time that it was built at, got {manifest.built!r:.99}") from error
    if manifest.stripped:
        raise ConflictError("expected an engine with its weights, got one without: devices could not run it")
    if not manifest.worst <= 1.0:
        raise ConflictError(
            f"its builder host found the engine {manifest.worst:.0%} of what may differ away from the oracle:"
            " it is not signed"
        )
    if profile.runtime is Runtime.TENSORRT and not manifest.compared_on:
        raise ConflictError("expected an engine that its builder host has heard, got one that nobody has")
