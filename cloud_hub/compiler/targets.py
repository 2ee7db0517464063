"""What is compiled for: the device profiles' targets, the precisions each allows, and whether a host is one.

An engine fits one kind of GPU. A builder host of another kind would make one that loads nowhere, or that
loads and is slow; so it is held against the profile before anything is built. Modules with equal
GPUs are told apart by their memory, as what a builder may take of it goes into the engine too.
"""

from collections.abc import Sequence

from cloud_hub.errors import ConflictError
from firmware_configs.engines.gpu import Gpu
from firmware_configs.profiles import Profile, Runtime, profiles
from wire.bundle import Bundle
from wire.precision import Precision

# Of its profile's, that a GPU has at least: a Jetson's is shared, and its firmware keeps some back. Modules
# with equal GPUs, such as Orin NX and Orin Nano, differ by more.
LEAST_MEMORY = 0.75


def profile_of(name: str) -> Profile:
    """The profile that the compile target ``name`` belongs to; ConflictError tells which are compiled for."""
    known = {profile.target: profile for profile in profiles().values()}
    compiled = sorted(name for name, one in known.items() if one.runtime is not Runtime.ONNXRUNTIME)
    if name not in known:
        meant = profiles().get(name)
        hint = f": the target of the profile {name} is {meant.target}" if meant else ""
        raise ConflictError(f"expected a target out of {', '.join(compiled)}, got {name!r}{hint}")
    if name not in compiled:
        raise ConflictError(
            f"nothing is compiled for {name}, as its devices run the signed ONNX itself: expected one out of"
            f" {', '.join(compiled)}"
        )
    return known[name]


def precisions(profile: Profile, bundle: Bundle, asked: Sequence[Precision] = ()) -> tuple[Precision, ...]:
    """What ``bundle`` is compiled in for ``profile``; ConflictError where it lacks one that is ``asked``.

    TF32 only where it is asked for: with it the network as signed answers in fewer digits than it was
    released with.
    """
    allowed = [one for one in Precision if one in profile.precisions and bundle.network(one) is not None]
    for one in asked:
        if one not in profile.precisions:
            raise ConflictError(
                f"expected a precision out of {', '.join(profile.precisions)} for {profile.target}, got {one}"
            )
        if one not in allowed:
            raise ConflictError(
                f"{bundle.manifest.release} has no {one}: its use case does not ask for it, or it did not"
                f" prove itself (`andon model show {bundle.manifest.release}` tells)"
            )
    return tuple(dict.fromkeys(asked or (one for one in allowed if one is not Precision.TF32)))


def check_host(profile: Profile, gpu: Gpu) -> None:
    """Refuse a GPU that is none of ``profile``."""
    if gpu.compute_capability not in profile.compute_capabilities:
        raise ConflictError(
            f"expected a GPU of compute capability {' or '.join(profile.compute_capabilities)} for"
            f" {profile.target}, got {gpu.name} with {gpu.compute_capability}: compile on a host of that kind"
        )
    wanted = profile.streaming_multiprocessors
    if wanted and gpu.multiprocessors != wanted:
        raise ConflictError(
            f"expected {wanted} multiprocessors for {profile.target}, got {gpu.name} with"
            f" {gpu.multiprocessors}: {_otherwise(profile)}"
        )
    whole, found = profile.memory_gb, gpu.memory_bytes / (1 << 30)
    if whole and not LEAST_MEMORY * whole < found <= whole:
        raise ConflictError(
            f"expected a GPU with {whole} GB of memory for {profile.target}, got {gpu.name} with"
            f" {found:.1f} GB: {_otherwise(profile)}"
        )


def _otherwise(profile: Profile) -> str:
    if profile.shared_memory:
        return (
            "compile on a module of that kind, in the power mode of its devices (`nvpmodel -q` tells it; some"
            " switch multiprocessors off)"
        )
    return (
        "that is another card, which this target's engines are not for; devices that have it need no shared"
        " engine, as each compiles its own"
    )
