"""What it costs to have a row scored by the hub, beside the network alone and the service without BentoML.

Real processes, real certificates, one connection that stays open, as a device holds it. The
network is drawn, its size is real: 60 features, two hidden layers, two outputs with an interval.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from cloud_hub.errors import UnreachableError
from cloud_hub.files import write_private
from cloud_hub.identity import certificates
from cloud_hub.identity.ca import Authority
from cloud_hub.serving.client import Service
from models.graphs import Runner
from wire.bundle import Bundle, write_bundle
from wire.manifest import Input, IntervalTable, Manifest, Output
from wire.scoring import MEDIA_TYPE, PATH, Question

WIDTH = 60
LAYERS = (64, 32)
OUTPUTS = ("remaining_life", "anomaly")
BATCH = 1000
START_S = 30.0

Race = Callable[..., dict[str, list[float]]]
Ask = Callable[[], Any]


def serving(race: Race, *, quick: bool) -> Iterator[dict[str, Any]]:
    """One row: p50 and p99. A batch of 1000: rows a second. Memory and start of the service."""
    bundle = _bundle()
    rows = np.random.default_rng(8).normal(size=(BATCH, WIDTH)).astype(np.float32)
    bare = Runner(bundle.onnx, OUTPUTS)
    with ExitStack() as stack:
        began = time.perf_counter()
        bento, pid = stack.enter_context(_served(bundle))
        started_s = time.perf_counter() - began
        without, _ = stack.enter_context(_served(bundle, "plain"))
        one = {
            "service": bento(rows[:1]),
            "without": without(rows[:1]),
            "bare": partial(bare.run, rows[:1]),
        }
        taken = race(one, rounds=300 if quick else 3000)
        many = {"service": bento(rows), "without": without(rows), "bare": partial(bare.run, rows)}
        batches = race(many, rounds=10 if quick else 60)
        memory = _pss_mb(pid)
    yield from _of_one_row(taken)
    yield from _of_a_batch(batches)
    yield {"figure": "the service's process, PSS", "value": memory, "unit": "MB"}
    yield {"figure": "from its start to its first answer", "value": started_s, "unit": "s"}


def _of_one_row(taken: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    millis = {name: median(times) * 1e3 for name, times in taken.items()}
    figure = {"figure": "one row over mutual TLS, p50", "value": millis["service"], "unit": "ms"}
    yield figure | {"reference": "the service without BentoML", "reference_value": millis["without"]}
    yield figure | {"reference": "the network alone", "reference_value": millis["bare"]}
    yield {
        "figure": "one row over mutual TLS, p99",
        "value": quantiles(taken["service"], n=100)[-1] * 1e3,
        "unit": "ms",
        "reference": "the service without BentoML",
        "reference_value": quantiles(taken["without"], n=100)[-1] * 1e3,
    }
    rates = {name: 1e3 / each for name, each in millis.items()}
    yield {
        "figure": "lone rows, one connection",
        "value": rates["service"],
        "unit": "requests/s",
        "reference": "the service without BentoML",
        "reference_value": rates["without"],
    }


def _of_a_batch(batches: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    rates = {name: BATCH / median(times) for name, times in batches.items()}
    figure = {"figure": f"a batch of {BATCH} rows", "value": rates["service"], "unit": "rows/s"}
    yield figure | {"reference": "the service without BentoML", "reference_value": rates["without"]}
    yield figure | {"reference": "the network alone", "reference_value": rates["bare"]}


@contextmanager
def _served(bundle: Bundle, *kind: str) -> Iterator[tuple[Callable[[npt.NDArray[np.float32]], Ask], int]]:
    """A service of ``kind`` that answers: how to ask it about rows, and its process."""
    with tempfile.TemporaryDirectory(prefix="andon-serving-") as folder:
        state_dir = Path(folder)
        certificates.ensure(state_dir, ("localhost", "127.0.0.1"))
        authority = Authority.of(state_dir)
        revoked = authority.sign_revoked({}, made=datetime.now(UTC))
        write_private(authority.certificate_file.with_name("revoked.crl"), revoked)
        file = state_dir / "bundle.zip"
        write_bundle(file, bundle)
        module = "cloud_hub.serving.bench_server"
        command = [sys.executable, "-P", "-m", module, str(state_dir), str(file), *kind]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                service = _awaited(state_dir, process)
                line = HTTPSConnection(service.host, service.port, timeout=30, context=service.tls)
                yield partial(_asker, line, bundle.manifest), process.pid
                line.close()
            finally:
                process.terminate()


def _awaited(state_dir: Path, process: "subprocess.Popen[bytes]") -> Service:
    end = time.monotonic() + START_S
    while not (state_dir / "run" / "scoring.json").exists():
        if process.poll() is not None or time.monotonic() > end:
            raise UnreachableError(f"the scoring service did not start within {START_S:g} s")
        time.sleep(0.02)
    return Service.of(state_dir)


def _asker(line: HTTPSConnection, manifest: Manifest, rows: npt.NDArray[np.float32]) -> Ask:
    """All that a client does: write the question down, send it, read the answer."""

    def ask() -> bytes:
        line.request("POST", PATH, Question.of(manifest, rows).to_json(), {"Content-Type": MEDIA_TYPE})
        response = line.getresponse()
        body = response.read()
        if response.status != 200:
            raise UnreachableError(f"the scoring service refused: {body[:200].decode(errors='replace')}")
        return body

    return ask


def _pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:"))


def _bundle() -> Bundle:
    manifest = Manifest(
        use_case="drawn",
        version=1,
        release="drawn/1",
        machine_class="drawn",
        feature_set="drawn/1",
        inputs=tuple(Input(name=f"signal-{number}.mean", unit="1") for number in range(WIDTH)),
        outputs=tuple(Output(name=name, unit="h", low=0.0, high=100.0) for name in OUTPUTS),
        rtol=1e-3,
        atol=1e-3,
        interval=IntervalTable(coverage=0.9, edges=(0.0, 50.0), lower=(5.0, 9.0), upper=(5.0, 9.0)),
    )
    network = _network(np.random.default_rng(7))
    golden = np.random.default_rng(9).normal(size=(16, WIDTH)).astype(np.float32)
    outputs = Runner(network, OUTPUTS).run(golden)
    return Bundle(manifest=manifest, onnx=network, golden_inputs=golden, golden_outputs=outputs)


def _network(rng: np.random.Generator) -> bytes:
    """features -> 64 -> 32 -> each output, Relu between."""
    nodes, weights, below = [], [], ("features", WIDTH)
    for number, size in enumerate(LAYERS):
        weights.append(_weights(rng, f"w{number}", below[1], size))
        nodes.append(helper.make_node("MatMul", [below[0], f"w{number}"], [f"sum{number}"]))
        nodes.append(helper.make_node("Relu", [f"sum{number}"], [f"hidden{number}"]))
        below = (f"hidden{number}", size)
    for name in OUTPUTS:
        weights.append(_weights(rng, f"w-{name}", below[1], 1))
        nodes.append(helper.make_node("MatMul", [below[0], f"w-{name}"], [name]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in OUTPUTS]
    begin = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", WIDTH])
    graph = helper.make_graph(nodes, "drawn", [begin], ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _weights(rng: np.random.Generator, name: str, below: int, above: int) -> Any:
    return numpy_helper.from_array(rng.normal(size=(below, above)).astype(np.float32), name)
