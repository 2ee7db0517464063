"""A network is judged before anything runs it: only plain ai.onnx in one graph, and no numbers elsewhere."""

import pytest
from onnx import TensorProto, helper

from wire.errors import BundleError
from wire.network import check_network


def model(*nodes, initializers=(), domains=("",)):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(list(nodes), "g", [value], [value], list(initializers))
    opsets = [helper.make_opsetid(domain, 17) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets).SerializeToString()


def within(node, kind="If"):
    branch = helper.make_graph([node], "branch", [], [])
    return helper.make_node(kind, ["x"], ["x"], then_branch=branch, else_branch=branch)


RELU = helper.make_node("Relu", ["x"], ["x"])
STRANGE = helper.make_node("FusedGelu", ["x"], ["x"], name="odd", domain="com.microsoft")


def in_a_file(name):
    tensor = helper.make_tensor(name, TensorProto.FLOAT, (1,), [1.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    return tensor


def test_a_pure_network_passes():
    check_network(model(RELU, RELU, initializers=[helper.make_tensor("w", TensorProto.FLOAT, (1,), [1.0])]))
    check_network(model(helper.make_node("Relu", ["x"], ["x"], domain="ai.onnx")))


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (model(RELU, STRANGE), "expected operators of ai.onnx, got FusedGelu at node 'odd' of com.microsoft"),
        (model(RELU, within(RELU)), "work follows from the size of what goes in, got If at node 'x'"),
        (model(within(RELU, "Loop")), "work follows from the size of what goes in, got Loop"),
        (model(helper.make_node("ConstantOfShape", ["x"], ["x"])), "got ConstantOfShape"),
        (model(within(STRANGE, "Relu")), "expected one graph, got another within Relu at node 'x'"),
        (model(helper.make_node("Scaler", ["x"], ["x"], domain="ai.onnx.ml")), "got Scaler at node 'x' of ai.onnx.ml"),
        (model(RELU, initializers=[in_a_file("weights")]), "got tensor 'weights' in a file"),
        (model(helper.make_node("Constant", [], ["x"], value=in_a_file("c"))), "got tensor 'c' in a file"),
        (model(), "without operators"),
        (b"", "without operators"),
        (b"not a network", "not an ONNX model"),
        (model(RELU)[:-3], "not an ONNX model"),
    ],
    ids=["domain", "if", "loop", "much of little", "graph within", "ml", "file", "file within", "no operators", "empty", "garbage", "cut off"],
)  # fmt: skip
def test_a_network_that_would_run_elsewhere_only_or_reads_files_is_refused(network, reason):
    with pytest.raises(BundleError, match=reason):
        check_network(network)
