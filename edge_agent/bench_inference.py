"""How long a machine's window waits for its prediction, beside what kernels and ONNX Runtime cost alone.

The network is drawn (``bench_network``), its size is real. The first p99 is what a machine
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

from edge_agent.bench_network import drawn, identity
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.runner import INPUT
from kernels import sets
from kernels.bearing import BEARING_6205
from kernels.vibration import orders, window_features

CHANNELS = 4
LENGTH = 4096
RATE_HZ = 12_000.0
SPEED_HZ = 29.5

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
    state, network = extractor.initial(), drawn(extractor.width)
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
        "identity": _bare(identity(extractor.width), row),
    }


def _bare(network: bytes, row: Matrix) -> Run:
    """ONNX Runtime's own ``run``, with the options of ``OnnxRunner``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {INPUT: row})
