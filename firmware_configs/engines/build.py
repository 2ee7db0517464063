"""Compiling a network into a plan: ONNX in, TensorRT's own bytes out, the same settings wherever it runs.

Types live in the ONNX and nowhere else (strong typing, all that TensorRT 11 and TensorRT for RTX know): a
builder that may choose a precision answers differently from one GPU to the next. What a plan was built from
and for is not written in it; whoever keeps one keeps an engine's key beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from firmware_configs.engines.library import MOST_SAID, Library, listen, said
from firmware_configs.errors import EngineBuildError
from firmware_configs.profiles import Profile, Runtime

ANY = -1  # of a size, in TensorRT's shapes
# At least, most often (what it is tuned for: a device asks about its newest row) and at most in one run:
# golden inputs.
ROWS = (1, 1, 1000)
SMALLEST, LARGEST = 256 << 20, 1 << 30  # of a builder's work space, in bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Built:
    plan: bytes
    timing_cache: bytes  # what was measured, for the next build; b"" where the library measures nothing
    seconds: float


def build(
    library: Library,
    onnx: bytes,
    *,
    compute_capabilities: tuple[str, ...] = (),
    tf32: bool = False,
    strip: bool = False,
    workspace_bytes: int,
    timing_cache: bytes = b"",
    clock: Callable[[], float] = perf_counter,
) -> Built:
    """The plan of ``onnx``; EngineBuildError names the operator and node that stand in the way.

    ``compute_capabilities``, such as "8.6", are for TensorRT for RTX, which compiles for GPUs that are not
    there; () means this machine's own. ``strip`` leaves the weights out: they come back by ``refit``.
    ``timing_cache`` is that of an earlier build on the same GPU; another one's is not used.
    """
    trt, listener = library.module, listen(library)
    builder = _builder(library, listener)
    network = builder.create_network(_strongly_typed(library))
    _parse(library, network, onnx, listener)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
    _set(config, trt.BuilderFlag.TF32, on=tf32)
    for flag in (trt.BuilderFlag.STRIP_PLAN, trt.BuilderFlag.REFIT):
        _set(config, flag, on=strip)
    _aim(library, config, compute_capabilities)
    config.add_optimization_profile(_profile(builder, network))
    cache = _timings(library, config, timing_cache)
    began = clock()
    plan = builder.build_serialized_network(network, config)
    seconds = clock() - began
    if plan is None:
        raise EngineBuildError(f"{library.runtime} {library.version} cannot compile: {said(listener)}")
    measured = b"" if cache is None else bytes(cache.serialize())
    return Built(plan=bytes(plan), timing_cache=measured, seconds=seconds)


def _builder(library: Library, listener: Any) -> Any:
    try:
        return library.module.Builder(listener)
    except Exception as error:  # a null pointer, which the bindings raise as what they like
        raise EngineBuildError(
            f"{library.runtime} {library.version} makes no builder here: {said(listener)}"
        ) from error


def _strongly_typed(library: Library) -> int:
    """TensorRT 10 has to be asked for it; later ones, and TensorRT for RTX, know nothing else."""
    if library.runtime is Runtime.TENSORRT and int(library.version.split(".")[0]) == 10:
        return 1 << int(library.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    return 0


def _parse(library: Library, network: Any, onnx: bytes, listener: Any) -> None:
    parser = library.module.OnnxParser(network, listener)
    if parser.parse(onnx):
        return
    found = [parser.get_error(place) for place in range(parser.num_errors)]
    told = "; ".join(_problem(error) for error in found) or said(listener)
    raise EngineBuildError(f"{library.runtime} {library.version} cannot read the network: {told[:MOST_SAID]}")


def _problem(error: Any) -> str:
    operator, node = error.node_operator(), error.node_name()
    place = f"operator {operator} at node {node or error.node()!r}: " if operator else ""
    return f"{place}{' '.join(error.desc().split())}"


def _set(config: Any, flag: Any, *, on: bool) -> None:
    (config.set_flag if on else config.clear_flag)(flag)


def _aim(library: Library, config: Any, compute_capabilities: tuple[str, ...]) -> None:
    if library.runtime is Runtime.TENSORRT:
        if compute_capabilities:
            raise EngineBuildError(
                f"expected no compute capabilities for tensorrt, got {', '.join(compute_capabilities)}: it"
                " compiles for the GPU that it runs on"
            )
        return
    known = library.module.ComputeCapability
    names = [f"SM{one.replace('.', '')}" for one in compute_capabilities] or ["CURRENT"]
    if unknown := [name for name in names if name not in known.__members__]:
        offered = ", ".join(name for name in known.__members__ if name.startswith("SM"))
        raise EngineBuildError(
            f"expected compute capabilities out of {offered}, got {', '.join(unknown)}:"
            f" {library.runtime} {library.version} compiles for no other"
        )
    config.num_compute_capabilities = len(names)
    for place, name in enumerate(names):
        config.set_compute_capability(known.__members__[name], place)


def _profile(builder: Any, network: Any) -> Any:
    """How many rows may come: ``ROWS`` of every input."""
    profile = builder.create_optimization_profile()
    for place in range(network.num_inputs):
        value = network.get_input(place)
        shape = [*value.shape]
        if shape[:1] != [ANY] or ANY in shape[1:]:
            raise EngineBuildError(
                f"expected any number of rows of a known width, got input {value.name} of {shape}"
                f" ({ANY} stands for any size)"
            )
        profile.set_shape(value.name, *((rows, *shape[1:]) for rows in ROWS))
    return profile


def _timings(library: Library, config: Any, known: bytes) -> Any | None:
    """The cache of what tactics take; TensorRT for RTX chooses them on the device, and has none."""
    if library.runtime is not Runtime.TENSORRT:
        return None
    for payload in (known, b""):
        cache = config.create_timing_cache(payload)
        # False: what another GPU or another version has measured is refused, and measured anew
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def workspace_bytes(profile: Profile) -> int:
    """What a builder may take for intermediate results on a device of this ``profile``.

    A sixteenth of the memory, which on a Jetson the CPU and everything else there share.
    """
    return min(max((profile.memory_gb << 30) // 16, SMALLEST), LARGEST)
