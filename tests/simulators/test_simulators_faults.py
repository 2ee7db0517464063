"""A spoiled model is valid, loads, runs and is wrong."""

from pathlib import Path

import numpy as np
import pytest

from simulators.errors import SettingError
from simulators.faults import Spoiling, spoil_model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FEATURES = 4


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two outputs as a use case has them; the second is made from the first."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["remaining_life"]),
        helper.make_node("Sigmoid", ["remaining_life"], ["anomaly"]),
    ]
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [FEATURES, 1], [3.0, 1.0, 4.0, 1.0])
    graph = helper.make_graph(
        nodes,
        "motor-health",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", FEATURES])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1])
            for name in ("remaining_life", "anomaly")
        ],
        [weights],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def outputs(path: Path) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = np.random.default_rng(1).random((16, FEATURES)).astype(np.float32) * 20
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"features": rows}), strict=True))


def test_a_spoiled_model_runs_and_leaves_its_range(model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    told = spoil_model(model, bad, seed=1, how=Spoiling.RANGE)
    onnx.checker.check_model(onnx.load(bad), full_check=True)
    good, spoiled = outputs(model), outputs(bad)
    assert list(good) == list(spoiled)
    assert spoiled["remaining_life"].shape == good["remaining_life"].shape
    assert np.isfinite(spoiled["remaining_life"]).all()
    assert (np.abs(spoiled["remaining_life"]) > 1000).all()
    np.testing.assert_array_equal(spoiled["anomaly"], good["anomaly"])
    assert told.startswith("remaining_life is now -")


def test_an_inverted_model_falls_where_the_good_one_rises(model: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    spoil_model(model, bad, seed=1, how=Spoiling.INVERTED)
    good, spoiled = outputs(model)["remaining_life"].ravel(), outputs(bad)["remaining_life"].ravel()
    assert np.corrcoef(good, spoiled)[0, 1] < -0.999
    assert (np.abs(spoiled) < 2000).all()


def test_the_same_seed_spoils_in_the_same_way(model: Path, tmp_path: Path) -> None:
    texts = [
        spoil_model(model, tmp_path / f"{n}.onnx", seed=seed, how=Spoiling.RANGE)
        for n, seed in enumerate((3, 3, 4))
    ]
    assert texts[0] == texts[1] != texts[2]
    assert (tmp_path / "0.onnx").read_bytes() == (tmp_path / "1.onnx").read_bytes()


def test_what_is_no_model_is_refused(tmp_path: Path, model: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    for path in (text, tmp_path / "missing.onnx"):
        with pytest.raises(SettingError, match="expected an ONNX model"):
            spoil_model(path, tmp_path / "bad.onnx", seed=1, how=Spoiling.RANGE)
    with pytest.raises(SettingError, match="expected an output 'rul', got remaining_life, anomaly"):
        spoil_model(model, tmp_path / "bad.onnx", seed=1, how=Spoiling.RANGE, output="rul")
    with pytest.raises(SettingError, match="cannot write"):
        spoil_model(model, tmp_path / "nowhere" / "bad.onnx", seed=1, how=Spoiling.RANGE)
