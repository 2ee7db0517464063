"""Executions on a real GPU: each answers as ONNX Runtime on the CPU does, and is told by name where it cannot."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from edge_runners import bundle

from edge_agent.config import InferenceSettings
from edge_agent.engine_store import EngineStore
from edge_agent.errors import InferenceError
from edge_agent.runners.device import DeviceRunners
from edge_agent.runners.errors import ForeignEngineError, NoEngineError
from edge_agent.runners.gpu import Gpu
from edge_agent.runners.native import NativeRunner
from edge_agent.runners.onnx import CUDA, TENSORRT, OnnxRunner
from edge_agent.updates.disk import Disk
from edge_agent.updates.golden import check_golden
from firmware_configs.engines.build import build
from firmware_configs.engines.library import check_gpu, find
from firmware_configs.errors import HostError
from firmware_configs.profiles import Runtime, profiles
from wire.precision import Precision

pytestmark = pytest.mark.gpu

ROWS = np.random.default_rng(3).normal(size=(2500, 3)).astype(np.float32)
WORKSPACE = 1 << 28


@pytest.fixture(scope="module", params=[Runtime.TENSORRT, Runtime.TENSORRT_RTX])
def native(request):
    """Library, GPU, and a plan of the network for it."""
    try:
        library = find(request.param)
        check_gpu(library)
        gpu = Gpu.open()
    except (HostError, InferenceError) as error:
        pytest.skip(str(error))
    return library, gpu, build(library, bundle().onnx, workspace_bytes=WORKSPACE).plan


@pytest.mark.parametrize("mapped", [True, False], ids=["mapped", "copied"])
def test_an_engine_answers_as_onnx_runtime_does(native, mapped):
    library, gpu, plan = native
    runner = NativeRunner(library, gpu, plan, Precision.FP32, mapped=mapped)
    try:
        assert check_golden(runner, bundle()) <= 1
        oracle = OnnxRunner(bundle().onnx)
        for rows in (ROWS[:1], ROWS[:7], ROWS, ROWS[:1]):
            np.testing.assert_allclose(runner.run(rows), oracle.run(rows), rtol=1e-4, atol=1e-4)
    finally:
        runner.close()


def test_an_engine_on_another_thread_than_it_was_made_on(native):
    """The updates make a runner, the feed asks it."""
    library, gpu, plan = native
    with ThreadPoolExecutor(1) as maker, ThreadPoolExecutor(1) as feed:
        runner = maker.submit(NativeRunner, library, gpu, plan, Precision.FP32, mapped=False).result()
        assert feed.submit(check_golden, runner, bundle()).result() <= 1
        maker.submit(runner.close).result()


def test_a_stripped_engine_takes_the_weights_of_the_network(native):
    library, gpu, _ = native
    other = bundle(life=10.0, slope=-1.0)
    plan = build(library, bundle().onnx, strip=True, workspace_bytes=WORKSPACE).plan
    runner = NativeRunner(library, gpu, plan, Precision.FP32, mapped=False, weights=other.onnx)
    try:
        assert check_golden(runner, other) <= 1
    finally:
        runner.close()


def test_bytes_that_are_no_engine_are_told_by_name(native):
    library, gpu, plan = native
    for wrong in (b"no engine" * 1000, plan[: len(plan) // 2]):
        with pytest.raises(ForeignEngineError):
            NativeRunner(library, gpu, wrong, Precision.FP32, mapped=False)


def test_a_device_compiles_its_own_engine_in_another_process_and_keeps_it(native, tmp_path):
    library, _, _ = native
    profile = next(each for _, each in sorted(profiles().items()) if each.runtime is library.runtime)
    store = EngineStore(tmp_path, Disk())
    made = DeviceRunners(profile, InferenceSettings(), tmp_path, store, tell=lambda change: None)
    with pytest.raises(NoEngineError):
        made._native.make(bundle(), Precision.FP32)
    made._native.prepare(bundle(), Precision.FP32)
    chain = made.make(bundle())
    assert chain.name == str(library.runtime)
    chain.close()


@pytest.mark.parametrize("name", [CUDA, TENSORRT])
def test_onnx_runtimes_providers_answer_as_its_cpu_does(name):
    try:
        runner = OnnxRunner(bundle().onnx, name)
    except InferenceError as error:
        pytest.skip(str(error))
    assert check_golden(runner, bundle()) <= 1
    np.testing.assert_allclose(runner.run(ROWS), OnnxRunner(bundle().onnx).run(ROWS), rtol=1e-4, atol=1e-4)
