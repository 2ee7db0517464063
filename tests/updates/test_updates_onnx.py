"""The same updates with a real network in ONNX Runtime: golden inputs, a switch, an operator it lacks."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from update_parts import USE_CASE, Device, enrolled, slots

from edge_agent.runners.onnx import OnnxRunner


def network(offset, *, operator="Add", domain=""):
    """remaining_life = x0 + offset, anomaly = 0.5, by ``operator``."""
    constants = [
        helper.make_tensor("pick", TensorProto.FLOAT, (2, 1), [1.0, 0.0]),
        helper.make_tensor("offset", TensorProto.FLOAT, (1,), [offset]),
        helper.make_tensor("none", TensorProto.FLOAT, (2, 1), [0.0, 0.0]),
        helper.make_tensor("half", TensorProto.FLOAT, (1,), [0.5]),
    ]
    nodes = [
        helper.make_node("MatMul", ["features", "pick"], ["picked"]),
        helper.make_node(operator, ["picked", "offset"], ["remaining_life"], domain=domain),
        helper.make_node("MatMul", ["features", "none"], ["zero"]),
        helper.make_node("Add", ["zero", "half"], ["anomaly"]),
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1])
        for name in ("remaining_life", "anomaly")
    ]
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "linear", [features], outputs, constants)
    opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def in_onnx_runtime(bundle):
    return OnnxRunner(bundle.onnx)


def golden(offset):
    return np.array([[1 + offset, 0.5], [3 + offset, 0.5]], dtype=np.float32)


@pytest.fixture
def onnx_device(hub, tmp_path):
    """A device that runs nothing yet, with ONNX Runtime."""
    identity = enrolled(hub, tmp_path / "device")
    hub.fingerprint = identity.key_fingerprint
    device = Device(state_dir=tmp_path / "device", identity=identity, make_runner=in_onnx_runtime)
    device.boot()
    return device


def test_a_real_network_goes_through_golden_test_probation_and_restart(hub, onnx_device):
    hub.publish(2, onnx=network(90.0), golden=golden(90.0))
    onnx_device.commit(hub.offer(2))
    assert onnx_device.boot().running()[USE_CASE].release == "motor-health/2"
    hub.publish(3, onnx=network(91.0), golden=golden(91.0))
    onnx_device.commit(hub.offer(3))
    assert (onnx_device.state, onnx_device.release) == ("committed", "motor-health/3")
    assert onnx_device.boot().running()[USE_CASE].runner.run(np.ones((1, 2), np.float32))[0, 0] == 92.0


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (network(1.0, operator="Mystery"), "Mystery"),
        (
            network(1.0, operator="BiasGelu", domain="com.microsoft"),
            "got BiasGelu at node 'remaining_life' of com.microsoft",
        ),
        (
            network(1.0, operator="Mystery", domain="com.elsewhere"),
            "got Mystery at node 'remaining_life' of com.elsewhere",
        ),
        (b"not a network", "not an ONNX model"),
        (onnx.ModelProto().SerializeToString(), "without operators"),
    ],
    ids=["an operator it lacks", "one of another domain that it has", "one of neither", "garbage", "empty"],
)
def test_a_network_that_cannot_run_here_is_refused_before_a_slot_is_touched(
    hub, onnx_device, payload, reason
):
    hub.publish(1, onnx=network(90.0), golden=golden(90.0))
    onnx_device.commit(hub.offer(1))
    before = slots(onnx_device)
    hub.publish(2, onnx=payload, golden=golden(1.0))
    onnx_device.offer(hub.offer(2))
    assert onnx_device.state == "refused"
    assert "motor-health/2 cannot be loaded here" in onnx_device.last.reason
    assert reason in onnx_device.last.reason
    assert slots(onnx_device) == before
