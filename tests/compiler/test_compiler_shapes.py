"""A retrained network has the shape of the one before it, and takes over what was compiled for that."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from compiler_networks import draw
from onnx import numpy_helper

from cloud_hub.compiler.half import to_fp16
from cloud_hub.compiler.quantised import to_int8
from cloud_hub.compiler.shapes import shape_of
from cloud_hub.compiler.workshop import Workshop
from firmware_configs.engines import gpu
from firmware_configs.engines.execute import Execution
from firmware_configs.engines.library import check_gpu, find
from firmware_configs.errors import EngineLibraryError
from firmware_configs.profiles import Runtime, profiles
from models import graphs, use_case
from wire.precision import Precision

TURBOFAN = use_case.find("turbofan-rul")
FIRST, SECOND = draw(TURBOFAN, seed=1), draw(TURBOFAN, seed=2)


def changed(name: str, by: float) -> bytes:
    model = onnx.load_model_from_string(FIRST.onnx)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            values = numpy_helper.to_array(tensor) + np.float32(by)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))
    payload: bytes = model.SerializeToString(deterministic=True)
    return payload


def test_networks_that_differ_in_what_they_learnt_have_one_shape() -> None:
    assert FIRST.onnx != SECOND.onnx
    assert shape_of(FIRST.onnx) == shape_of(SECOND.onnx)
    assert shape_of(to_fp16(FIRST.onnx)) == shape_of(to_fp16(SECOND.onnx))


@pytest.mark.parametrize("other", ["wider", "another use case", "fp16", "another bound of the clip"])
def test_networks_that_differ_in_anything_else_do_not(other: str) -> None:
    made = {
        "wider": lambda: draw(TURBOFAN, width=41).onnx,
        "another use case": lambda: draw(use_case.find("motor-health")).onnx,
        "fp16": lambda: to_fp16(FIRST.onnx),
        "another bound of the clip": lambda: changed("high", 1.0),
    }[other]()
    assert shape_of(made) != shape_of(FIRST.onnx)


def test_quantised_networks_keep_to_themselves() -> None:
    first, second = (to_int8(drawn.onnx, drawn.rows.features) for drawn in (FIRST, SECOND))
    assert shape_of(first) != shape_of(second)


@pytest.mark.gpu
def test_retrained_network_takes_over_the_engine_and_answers_for_itself(tmp_path: Path) -> None:
    """Its weights alone are new; what the first left is not built again."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed: pip install tensorrt-rtx")
    try:
        check_gpu(find(Runtime.TENSORRT_RTX))
        driver = gpu.Driver()
    except EngineLibraryError as error:
        pytest.skip(str(error))
    profile = next(one for one in profiles().values() if one.runtime is Runtime.TENSORRT_RTX)
    own = replace(profile, compute_capabilities=(driver.gpu().compute_capability,))
    shop = Workshop(library=find(Runtime.TENSORRT_RTX), profile=own, folder=tmp_path, refit=True)
    for drawn in (FIRST, SECOND):
        plan, _ = shop.plan(drawn.onnx, Precision.FP32)
        with Execution(shop.library, plan, driver) as execution:
            found = execution.run(drawn.rows.features[:64])
            expected = graphs.Runner(drawn.onnx, execution.outputs).run(drawn.rows.features[:64])
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    assert len(list(tmp_path.glob("*.stripped"))) == 1
