"""One window of four channels on the GPU beside the same on the CPU, and what an engine costs to build.

Contenders take turns in one run, by the wall's clock: who waits for a GPU uses no processor time. What cannot
be run here is a row that says so, and why; a row is never made up, and never left out. What an agent asks of
a GPU it asks on a thread of its own: what that costs is a row too, and is not in the others.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from statistics import median, quantiles
from typing import Any

from edge_agent.bench_gpu_ways import (
    CHANNELS,
    CPU,
    CPU_ROW,
    GRAPH,
    HANDED_ROW,
    LENGTH,
    NATIVE_ROW,
    PIECES,
    PROVIDER,
    PROVIDER_ROW,
    WORKSPACE,
    gpu_library,
    ways,
)
from edge_agent.bench_network import drawn
from edge_agent.runners.errors import UnavailableError, told
from firmware_configs.engines.build import Built, build
from firmware_configs.engines.library import Library, find
from firmware_configs.errors import EngineBuildError, EngineLibraryError
from firmware_configs.profiles import Runtime
from wire.precision import Precision

PRECISIONS = (Precision.FP32, Precision.TF32, Precision.FP16, Precision.INT8)
ELSEWHERE = "8.6"  # what TensorRT for RTX compiles for where there is no GPU
WINDOW = f"window of {CHANNELS} x {LENGTH}, features + prediction"

Race = Callable[..., dict[str, list[float]]]
Row = dict[str, Any]


def gpu(race: Race, *, quick: bool) -> Iterator[Row]:
    """What a window waits for, each way; then seconds of building. See ``firmware_configs.figures``."""
    with ExitStack() as opened:
        runs, reasons = ways(opened)
        taken = race(runs, rounds=300 if quick else 4000)
    for share, name in ((50, "median"), (99, "p99")):
        yield {"figure": f"{WINDOW} on the CPU, {name}", "value": _share(taken[CPU], share), "unit": "us"}
        yield _against(f"{WINDOW} on the GPU, {name}", taken, reasons, GRAPH, CPU, share=share)
    for other in (PIECES, PROVIDER):
        yield _against(f"{WINDOW} on the GPU, median", taken, reasons, GRAPH, other)
    yield _against("prediction of one row on the GPU, median", taken, reasons, NATIVE_ROW, PROVIDER_ROW)
    for share, name in ((50, "median"), (99, "p99")):
        yield _against(f"prediction of one row, {name}", taken, reasons, HANDED_ROW, CPU_ROW, share=share)
    yield from _builds()


def _builds() -> Iterator[Row]:
    """Seconds to build the drawn network in each precision, and how much of them a timing cache spares."""
    try:
        library, here = _builder()
    except EngineLibraryError as error:
        yield _not_run("engine built", told(error), "s")
        return
    aim = () if here else (ELSEWHERE,)
    where = "this GPU" if here else f"compute capability {ELSEWHERE}"
    width = CHANNELS * 27 + 1
    for precision in PRECISIONS:
        figure = f"engine built by {library.runtime} {library.version} for {where}, {precision}"
        network, tf32 = drawn(width, precision), precision is Precision.TF32
        try:
            cold = _build(library, network, aim, tf32=tf32)
            yield {"figure": figure, "value": cold.seconds, "unit": "s"}
            if cold.timing_cache:
                warm = _build(library, network, aim, tf32=tf32, timing_cache=cold.timing_cache)
                yield _row(f"{figure}, timings known", warm.seconds, "s", "not known", cold.seconds)
        except EngineBuildError as error:
            yield _not_run(figure, told(error), "s")


def _build(
    library: Library, network: bytes, aim: tuple[str, ...], *, tf32: bool, timing_cache: bytes = b""
) -> Built:
    return build(
        library,
        network,
        compute_capabilities=aim,
        tf32=tf32,
        workspace_bytes=WORKSPACE,
        timing_cache=timing_cache,
    )


def _builder() -> tuple[Library, bool]:
    """What builds engines here, and whether for this host's own GPU."""
    try:
        return gpu_library(), True
    except UnavailableError:
        return find(Runtime.TENSORRT_RTX), False


def _against(
    figure: str,
    taken: dict[str, list[float]],
    reasons: dict[str, str],
    ours: str,
    theirs: str,
    *,
    share: int = 50,
) -> Row:
    for name in (ours, theirs):
        if name in reasons:
            return _not_run(f"{figure}, {ours} against {theirs}", reasons[name], "us")
    return _row(f"{figure}, {ours}", _share(taken[ours], share), "us", theirs, _share(taken[theirs], share))


def _row(figure: str, value: float, unit: str, reference: str, reference_value: float) -> Row:
    return {
        "figure": figure,
        "value": value,
        "unit": unit,
        "reference": reference,
        "reference_value": reference_value,
    }


def _share(seconds: list[float], share: int) -> float:
    """Microseconds that ``share`` percent did not exceed."""
    return (median(seconds) if share == 50 else quantiles(seconds, n=100)[share - 1]) * 1e6


def _not_run(figure: str, reason: str, unit: str) -> Row:
    return {"figure": figure, "unit": unit, "not_run": reason}
