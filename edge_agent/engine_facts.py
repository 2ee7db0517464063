"""Which engines fit this device: what it runs them with decides, and nothing that anybody offers.

An engine's name is its key, so a device works out what would fit and asks for that. One
for another GPU kind, another version of the library or another network has another name.
"""

import hashlib
from dataclasses import dataclass
from typing import Self

from firmware_configs.profiles import Profile
from wire.bundle import Bundle
from wire.engine import EngineKey
from wire.precision import Precision


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What runs engines here."""

    target: str  # the profile's compile target
    runtime: str  # "tensorrt" or "tensorrt-rtx"
    runtime_version: str  # of the library that was really loaded
    precisions: tuple[Precision, ...]  # that may be run here, the best one first

    @classmethod
    def of(cls, profile: Profile, runtime_version: str, precisions: tuple[Precision, ...]) -> Self:
        """Of a device of this ``profile`` that runs ``runtime_version`` of the profile's runtime."""
        return cls(
            target=profile.target,
            runtime=str(profile.runtime),
            runtime_version=runtime_version,
            precisions=precisions,
        )


def keys(bundle: Bundle, facts: EngineFacts) -> tuple[EngineKey, ...]:
    """The engines of ``bundle`` that fit, the best one first; none in a precision that it lacks."""
    networks = [(precision, bundle.network(precision)) for precision in facts.precisions]
    return tuple(
        EngineKey(
            use_case=bundle.manifest.use_case,
            version=bundle.manifest.version,
            onnx_sha256=hashlib.sha256(network).hexdigest(),
            target=facts.target,
            runtime=facts.runtime,
            runtime_version=facts.runtime_version,
            precision=precision,
        )
        for precision, network in networks
        if network is not None
    )
