"""A release to roll out without a training: a tiny network by the registry, approved, signed by the worker.

All but the training is what happens to any model. No device of the benchmark runs it.
"""

import time

import numpy as np
import onnx
from onnx import TensorProto, helper
from psycopg.types.json import Jsonb

from cloud_hub.flows import release as flow
from cloud_hub.flows import runs
from cloud_hub.hub import Hub
from cloud_hub.parts.errors import PartError
from cloud_hub.registry.models import Registry
from wire.bundle import Bundle, write_bundle
from wire.manifest import Input, Manifest, Output

USE_CASE = "motor-health"
MACHINE_CLASS = "motor-pump"
FEATURE_SET = "vibration-trend/2"
PATIENCE_S = 60.0
FEATURES = (Input(name="pressure.fast", unit="bar"), Input(name="flow.fast", unit="m3/h"))
ANSWERS = (
    Output(name="remaining_life", unit="h", low=0.0, high=250.0),
    Output(name="anomaly", unit="1", low=0.0, high=10.0),
)


def publish(hub: Hub, *, number: int) -> str:
    """A release, once the worker has opened it to rollouts."""
    release = approve(hub, number=number)
    _await_release(hub, release)
    return release


def approve(hub: Hub, *, number: int) -> str:
    """A model that is registered and approved, with its bundle built: what is left is for the worker."""
    network = _network()
    release = _register(hub, f"bench-run-{number}", network)
    inputs = np.array([[2.0, 4.0], [8.0, 6.0]], np.float32)
    answers = np.repeat(inputs.mean(axis=1, keepdims=True), len(ANSWERS), axis=1)
    manifest = Registry(hub.database, hub.artifacts, hub.clock).get(release).manifest
    file = hub.artifacts / "bundles" / f"{release}.zip"
    file.parent.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(manifest=manifest, onnx=network, golden_inputs=inputs, golden_outputs=answers)
    write_bundle(file, bundle)
    flow.approve(hub, release, person="bench")
    return release


def _register(hub: Hub, run: str, network: bytes) -> str:
    with hub.database.transaction() as connection:
        row = {"id": run, "use_case": USE_CASE, "settings": Jsonb({}), "correlation": run}
        connection.execute(runs.SQL["insert_run"], row | {"now": hub.clock.now()})
    attempt = runs.own(hub, run)
    manifest = Manifest(
        use_case=USE_CASE,
        version=0,
        release="",
        machine_class=MACHINE_CLASS,
        feature_set=FEATURE_SET,
        inputs=FEATURES,
        outputs=ANSWERS,
        rtol=1e-3,
        atol=1e-3,
        lineage={"run": run},
    )
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    with hub.database.transaction() as connection:
        attempt.hold(connection)
        gate = {"passed": True, "reason": "not judged: it is there to be rolled out"}
        release = registry.register(connection, run=run, onnx=network, manifest=manifest, gate=gate)
        result = {"dataset": None, "code": "bench", "metrics": Jsonb({}), "now": hub.clock.now()}
        connection.execute(runs.SQL["finish"], {"run": run, "attempt": attempt.number} | result)
    return release


def _network() -> bytes:
    """The mean of the features, as every output."""
    nodes = [
        helper.make_node("ReduceMean", ["features"], [output.name], axes=[1], keepdims=1)
        for output in ANSWERS
    ]
    given = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", len(FEATURES)])]
    answers = [helper.make_tensor_value_info(item.name, TensorProto.FLOAT, ["n", 1]) for item in ANSWERS]
    model = helper.make_model(
        helper.make_graph(nodes, "mean", given, answers),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _await_release(hub: Hub, release: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    registry = Registry(hub.database, hub.artifacts, hub.clock)
    while registry.get(release).state != "released":
        if time.monotonic() > deadline or flow.failure(hub, release):
            raise PartError(
                f"{release} was not published: {flow.failure(hub, release) or 'no worker did it'}"
            )
        time.sleep(0.2)
