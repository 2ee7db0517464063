"""Releases for real devices without a training: a network of one weight that tells remaining life from the flow.

It is registered, approved and signed by what does so for every model, and devices run it. What it says is
wrong about pumps and right for a story: the less a machine delivers, the sooner it ends.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from psycopg.types.json import Jsonb

from cloud_hub.flows import release as flow
from cloud_hub.flows import runs
from cloud_hub.hub import Hub
from cloud_hub.registry.models import Registry
from kernels import sets
from simulators.motor_pump_process import SCALARS
from simulators.motor_pump_vibration import AXES, RATE_HZ, WINDOW
from wire.bundle import Bundle, write_bundle
from wire.manifest import AlarmRule, Input, IntervalTable, Manifest, Output

USE_CASE = "motor-health"
FEATURE_SET = "vibration-trend/2"
FLOW = "flow.last"
EXTRACTOR = sets.make(  # as the agent beside a simulated motor-pump set has it
    FEATURE_SET,
    scalars=[name for name, _ in SCALARS],
    waveforms=[(axis, RATE_HZ, WINDOW) for axis in AXES],
    units=dict(SCALARS),
)
ALARM_BELOW = 190.0  # no machine delivers as much: each of them is in alarm, and the order tells them apart


def approve(hub: Hub, *, number: int, hours_per_flow: float) -> str:
    """A release as a training leaves it, with the word of a person; the hub's worker signs and publishes it."""
    weights = np.zeros((EXTRACTOR.width, 2), np.float32)
    weights[EXTRACTOR.names.index(FLOW)] = hours_per_flow, hours_per_flow / 100
    golden = np.linspace(0, 900, 2 * EXTRACTOR.width, dtype=np.float32).reshape(2, -1)
    release = _register(hub, f"story-run-{number}", _network(weights))
    manifest = Registry(hub.database, hub.artifacts, hub.clock).get(release).manifest
    file = hub.artifacts / "bundles" / f"{release}.zip"
    file.parent.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(
        manifest=manifest, onnx=_network(weights), golden_inputs=golden, golden_outputs=golden @ weights
    )
    write_bundle(file, bundle)
    flow.approve(hub, release, person="ada")
    return release


def is_released(hub: Hub, release: str) -> bool:
    assert not flow.failure(hub, release)
    return Registry(hub.database, hub.artifacts, hub.clock).get(release).state == "released"


def _register(hub: Hub, run: str, network: bytes) -> str:
    with hub.database.transaction() as connection:
        row = {"id": run, "use_case": USE_CASE, "settings": Jsonb({}), "correlation": run}
        connection.execute(runs.SQL["insert_run"], row | {"now": hub.clock.now()})
    attempt = runs.own(hub, run)
    with hub.database.transaction() as connection:
        attempt.hold(connection)
        gate = {"passed": True, "reason": "not judged: it is there to be rolled out"}
        release = Registry(hub.database, hub.artifacts, hub.clock).register(
            connection, run=run, onnx=network, manifest=_manifest(run), gate=gate
        )
        result = {"dataset": None, "code": "story", "metrics": Jsonb({}), "now": hub.clock.now()}
        connection.execute(runs.SQL["finish"], {"run": run, "attempt": attempt.number} | result)
    return release


def _manifest(run: str) -> Manifest:
    rule = AlarmRule(
        output="remaining_life", direction="below", threshold=ALARM_BELOW, clear=240.0, persistence=2
    )
    return Manifest(
        use_case=USE_CASE,
        version=0,
        release="",
        machine_class="motor-pump",
        feature_set=FEATURE_SET,
        inputs=tuple(
            Input(name=name, unit=unit) for name, unit in zip(EXTRACTOR.names, EXTRACTOR.units, strict=True)
        ),
        outputs=(
            Output(name="remaining_life", unit="h", low=0.0, high=250.0),
            Output(name="anomaly", unit="1", low=0.0, high=10.0),
        ),
        rtol=1e-3,
        atol=1e-3,
        interval=IntervalTable(coverage=0.8, edges=(0.0,), lower=(4.0,), upper=(6.0,)),
        alarms=(rule,),
        lineage={"run": run},
    )


def _network(weights: np.ndarray) -> bytes:
    names = ("remaining_life", "anomaly")
    columns = [
        numpy_helper.from_array(weights[:, [at]], f"weights_of_{name}") for at, name in enumerate(names)
    ]
    nodes = [helper.make_node("MatMul", ["features", f"weights_of_{name}"], [name]) for name in names]
    given = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", EXTRACTOR.width])]
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in names]
    graph = helper.make_graph(nodes, "story", given, answers, initializer=columns)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()
