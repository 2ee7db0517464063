"""How long a machine's window waits for its prediction, beside what kernels and ONNX Runtime cost alone.

The network is drawn, its size is real: remaining life and anomaly from the features of
four channels, normalised inside the graph as a bundle's are. The first p99 is what a machine
waits, with whatever else runs on the host, the second what it waits where the host left it the
core, which is all that this code can answer for; the other figures are processor time.
"""

import resource
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median, quantiles
from time import perf_counter, thread_time
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.runner import INPUT
from kernels import sets
from kernels.bearing import BEARING_6205
from kernels.vibration import orders, window_features

CHANNELS = 4
LENGTH = 4096
RATE_HZ = 12_000.0
SPEED_HZ = 29.5
HIDDEN = (64, 32)

Race = Callable[..., dict[str, list[float]]]
Matrix = npt.NDArray[np.float32]
Run = Callable[[], Any]


def inference(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Features and prediction of one window of four channels; the prediction alone, beside an identity."""
    contenders, rounds = _contenders(), 300 if quick else 4000
    waited, undisturbed = _waits(contenders["window"], rounds)
    taken = race(contenders, rounds=rounds, clock=thread_time)
    micros = {name: median(times) * 1e6 for name, times in taken.items()}
    window = f"window of {CHANNELS} x {LENGTH}, features + prediction"
    yield {"figure": f"{window}, p99", "value": _p99(waited) * 1e3, "unit": "ms", "bar": "<= 1.0"}
    yield {"figure": f"{window}, p99 undisturbed", "value": _p99(undisturbed) * 1e3, "unit": "ms"}
    yield {"figure": f"{window}, p99 on the core", "value": _p99(taken["window"]) * 1e3, "unit": "ms"}
    yield {
        "figure": window,
        "value": micros["window"],
        "unit": "us",
        "reference": "kernels + bare run()",
        "reference_value": micros["kernels"] + micros["bare"],
        "bar": "<= 1.5",
    }
    yield {
        "figure": "prediction of one row",
        "value": micros["runner"],
        "unit": "us",
        "reference": "bare run() of it",
        "reference_value": micros["bare"],
    }
    yield {
        "figure": "bare run() of the network",
        "value": micros["bare"],
        "unit": "us",
        "reference": "bare run() of identity",
        "reference_value": micros["identity"],
    }


def _waits(window: Run, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round, and of those in which nobody took the core from this thread."""
    waited, undisturbed = [], []
    window()
    for _ in range(rounds):
        taken, begin = _times_taken(), perf_counter()
        window()
        waited.append(perf_counter() - begin)
        if _times_taken() == taken:
            undisturbed.append(waited[-1])
    return waited, undisturbed


def _times_taken() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def _p99(times: list[float]) -> float:
    return quantiles(times, n=100)[-1]


def _contenders() -> dict[str, Run]:
    waveforms = [(f"vibration_{channel}", RATE_HZ, LENGTH) for channel in range(CHANNELS)]
    extractor = sets.make("vibration/1", scalars=["speed"], waveforms=waveforms, units={"speed": "Hz"})
    windows = np.random.default_rng(5).normal(size=(CHANNELS, LENGTH)).astype(np.float32)
    state, network = extractor.initial(), _network(extractor.width)
    runner, row = OnnxRunner(network), np.zeros((1, extractor.width), np.float32)

    def window() -> Matrix:
        features = extractor.update(state, 0, [SPEED_HZ], list(windows))
        assert features is not None, "a reading with all its windows makes a row"
        return runner.run(features[None, :])

    return {
        "window": window,
        "kernels": partial(
            window_features, windows, rate_hz=RATE_HZ, speed_hz=SPEED_HZ, orders_=orders(BEARING_6205)
        ),
        "runner": partial(runner.run, row),
        "bare": _bare(network, row),
        "identity": _bare(_identity(extractor.width), row),
    }


def _bare(network: bytes, row: Matrix) -> Run:
    """ONNX Runtime's own ``run``, with the options of ``OnnxRunner``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {INPUT: row})


def _network(width: int) -> bytes:
    """features -> normalised -> 64 -> 32 -> remaining_life and anomaly."""
    rng = np.random.default_rng(6)
    constants = {"mean": np.zeros(width), "scale": np.ones(width), "low": np.array(-4), "high": np.array(4)}
    nodes = [
        helper.make_node("Sub", [INPUT, "mean"], ["shifted"]),
        helper.make_node("Div", ["shifted", "scale"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["hidden0"]),
    ]
    for layer, (below, above) in enumerate(zip((width, *HIDDEN[:-1]), HIDDEN, strict=True)):
        nodes += _dense(layer, f"hidden{layer}", f"sum{layer}")
        nodes.append(helper.make_node("Relu", [f"sum{layer}"], [f"hidden{layer + 1}"]))
        constants |= _weights(rng, layer, below, above)
    for layer, output in enumerate(("remaining_life", "anomaly"), len(HIDDEN)):
        nodes += _dense(layer, f"hidden{len(HIDDEN)}", output)
        constants |= _weights(rng, layer, HIDDEN[-1], 1)
    return _model(nodes, width, {"remaining_life": 1, "anomaly": 1}, constants)


def _identity(width: int) -> bytes:
    return _model([helper.make_node("Identity", [INPUT], ["same"])], width, {"same": width}, {})


def _dense(layer: int, below: str, above: str) -> list[Any]:
    return [helper.make_node("Gemm", [below, f"weights{layer}", f"bias{layer}"], [above])]


def _weights(rng: np.random.Generator, layer: int, below: int, above: int) -> dict[str, npt.NDArray[Any]]:
    return {f"weights{layer}": rng.normal(size=(below, above)), f"bias{layer}": np.zeros(above)}


def _model(
    nodes: list[Any], width: int, outputs: dict[str, int], constants: dict[str, npt.NDArray[Any]]
) -> bytes:
    def describe(name: str, size: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])

    graph = helper.make_graph(
        nodes,
        "drawn",
        [describe(INPUT, width)],
        [describe(name, size) for name, size in outputs.items()],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
