"""Engines run natively: what is asked of TensorRT and CUDA, and what each failure is called."""

from types import SimpleNamespace

import numpy as np
import pytest
from edge_native import CudaError, Driver, library
from edge_runners import answers, bundle

from edge_agent.config import InferenceSettings
from edge_agent.engine_store import EngineStore
from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.device import DeviceRunners
from edge_agent.runners.errors import (
    DriverError,
    ForeignEngineError,
    GpuMemoryError,
    NoEngineError,
    UnavailableError,
    named,
)
from edge_agent.runners.gpu import Gpu
from edge_agent.runners.native import NativeRunner
from edge_agent.runners.native_engines import NativeEngines
from edge_agent.updates.disk import Disk
from edge_agent.updates.golden import check_golden
from firmware_configs.profiles import Runtime, profiles
from wire.engine import Engine, EngineManifest, write_engine
from wire.precision import Precision


def gpu_here() -> bool:
    try:
        Gpu.open()
    except InferenceError:
        return False
    return True


ROWS = np.random.default_rng(3).normal(size=(150, 3)).astype(np.float32)


@pytest.fixture(params=[True, False], ids=["mapped", "copied"])
def made(request):
    driver = Driver()
    found = library(driver)
    runner = NativeRunner(found, Gpu(driver), b"plan", Precision.FP16, mapped=request.param)
    return runner, driver, found.module


def test_an_engine_answers_one_row_many_and_more_than_its_profile_allows(made):
    runner, driver, _ = made
    for rows in (ROWS[:1], ROWS[:40], ROWS, ROWS[:1]):
        np.testing.assert_array_equal(runner.run(rows), answers(rows))
    assert (runner.name, runner.precision, runner.width) == ("tensorrt", Precision.FP16, 3)
    assert check_golden(runner, bundle()) <= 1
    assert driver.pushed == 0, "the thread's own context is as it was"


def test_answers_come_in_the_order_that_is_asked_for_whatever_the_engines_own_is():
    driver = Driver()
    found = library(driver, names=("anomaly", "features", "remaining_life"))
    asked = ("remaining_life", "anomaly")
    runner = NativeRunner(found, Gpu(driver), b"plan", Precision.FP32, mapped=False, outputs=asked)
    assert runner.outputs == asked
    np.testing.assert_array_equal(runner.run(ROWS[:40]), answers(ROWS[:40]))
    with pytest.raises(
        ForeignEngineError, match="that answers life, got one that answers anomaly, remaining"
    ):
        NativeRunner(found, Gpu(driver), b"plan", Precision.FP32, mapped=False, outputs=("life",))


def test_an_answer_is_nobody_elses_memory(made):
    runner, _, _ = made
    first = runner.run(ROWS[:1])
    runner.run(ROWS[5:6])
    np.testing.assert_array_equal(first, answers(ROWS[:1]))


def test_the_shape_is_set_where_it_changes_and_bytes_move_where_memory_is_not_shared(made):
    runner, driver, module = made
    for _ in range(5):
        runner.run(ROWS[:1])
    assert module.made.shaped == 1
    assert driver.copies in (0, 5 * 3), "features out, two outputs back; none of it where memory is mapped"


def test_tensorrt_for_rtx_is_asked_to_compile_its_kernels_before_they_are_proved():
    driver = Driver()
    found = library(driver, runtime=Runtime.TENSORRT_RTX)
    runner = NativeRunner(found, Gpu(driver), b"plan", Precision.FP32, mapped=False)
    assert runner.name == "tensorrt-rtx"
    assert found.module.config.dynamic_shapes_kernel_specialization_strategy == "eager"


def test_closing_gives_everything_back_and_twice_does_no_harm(made):
    runner, driver, _ = made
    runner.close()
    assert driver.held == set()
    runner.close()
    with pytest.raises(InferenceError, match="this engine is closed"):
        runner.run(ROWS[:1])


@pytest.mark.parametrize("features", [ROWS[:1, :2], ROWS[0], ROWS[:0]], ids=["narrow", "flat", "none"])
def test_other_features_are_refused(made, features):
    with pytest.raises(FeatureMismatchError, match=r"expected features of width 3, got \("):
        made[0].run(features)


def test_a_launch_that_fails_and_a_kernel_that_fails_are_told_by_name(made):
    runner, driver, module = made
    module.made.runs = False
    with pytest.raises(GpuMemoryError, match=r"tensorrt does not run the engine: .*out of memory"):
        runner.run(ROWS[:1])
    module.made.runs = True
    driver.fails = CudaError("cuStreamSynchronize failed: an illegal memory access was encountered")
    with pytest.raises(InferenceError, match="illegal memory access"):
        runner.run(ROWS[:1])
    assert driver.pushed == 0


@pytest.mark.parametrize(
    ("wrong", "plan", "kind", "reason"),
    [
        ({}, b"other", ForeignEngineError, "expecting library version 10.13 got 10.7"),
        ({"dtype": "float16"}, b"plan", ForeignEngineError, "expected float32 in features, got float16"),
        ({"context": False}, b"plan", InferenceError, "makes no execution context"),
        ({"takes": 1}, b"plan", InferenceError, "takes no address for remaining_life"),
    ],
    ids=["of another version", "with other types", "too large", "half bound"],
)
def test_an_engine_that_cannot_be_used_is_named_and_holds_nothing(wrong, plan, kind, reason):
    driver = Driver()
    with pytest.raises(kind, match=reason):
        NativeRunner(library(driver, **wrong), Gpu(driver), plan, Precision.FP32, mapped=False)
    assert (driver.held, driver.pushed) == (set(), 0)


def test_a_gpu_without_memory_is_told_and_what_was_page_locked_for_it_is_given_back():
    driver = Driver()
    driver.full = CudaError("cuMemAlloc failed: out of memory")
    with pytest.raises(GpuMemoryError, match="cuMemAlloc failed"):
        NativeRunner(library(driver), Gpu(driver), b"plan", Precision.FP32, mapped=False)
    assert (driver.held, driver.pushed) == (set(), 0)


def test_the_twin_of_an_engine_answers_to_nothing_but_the_librarys_own_names():
    real = pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX, whose names these are")
    driver = Driver()
    trt = library(driver).module
    runtime = trt.Runtime(trt.ILogger())
    engine = runtime.deserialize_cuda_engine(b"plan")
    config = engine.create_runtime_config()
    held = [
        (type(runtime), real.Runtime),
        (type(engine), real.ICudaEngine),
        (type(engine.create_execution_context(config)), real.IExecutionContext),
        (config, real.IRuntimeConfig),
        (trt.TensorIOMode, real.TensorIOMode),
        (trt.DataType, real.DataType),
        (trt.DynamicShapesKernelSpecializationStrategy, real.DynamicShapesKernelSpecializationStrategy),
        (trt.ILogger.Severity, real.ILogger.Severity),
    ]
    for twin, its in held:
        names = {name for name in vars(twin) if not name.startswith("_")}
        assert names, its
        assert names <= set(dir(its)), its


def test_a_context_that_cannot_be_given_back_is_told_by_name_and_hides_nothing(made):
    runner, driver, _ = made
    driver.pop_fails = CudaError("cuCtxPopCurrent failed: unknown error")
    with pytest.raises(InferenceError, match="cuCtxPopCurrent failed"):
        runner.run(ROWS[:1])
    driver.fails = CudaError("cuStreamSynchronize failed: an illegal memory access was encountered")
    with pytest.raises(InferenceError, match="illegal memory access"):
        runner.run(ROWS[:1])


@pytest.fixture
def engines(tmp_path):
    """What a Jetson runs engines with, a shared one in its store: it answers single rows otherwise."""
    driver, store = Driver(), EngineStore(tmp_path, Disk())
    compiler = SimpleNamespace(compile=lambda *_, **__: b"plan")
    jetson = next(each for _, each in sorted(profiles().items()) if each.runtime is Runtime.TENSORRT)
    told = []
    made = NativeEngines(jetson, store, compiler, (Precision.FP32,), check_golden, tell=told.append)
    made.__dict__ |= {"_library": library(driver, odd=b"odd"), "_gpu": Gpu(driver)}  # what it would find
    key = made._key(bundle(), Precision.FP32)
    manifest = EngineManifest(
        key=key, compute_capabilities=("8.7",), stripped=False, worst=0.1, built="today"
    )
    digest = write_engine(tmp_path / "engine", Engine(manifest=manifest, plan=b"odd"))
    (tmp_path / "engine").rename(store.place(key, digest))
    return made, driver, store, key, told


def test_a_shared_engine_that_answers_single_rows_otherwise_is_as_good_as_none(engines):
    made, driver, *_ = engines
    with pytest.raises(NoEngineError, match="still to be compiled here, for the shared one: golden input 0"):
        made.make(bundle(), Precision.FP32)
    assert driver.held == set()
    made.prepare(bundle(), Precision.FP32)
    runner = made.make(bundle(), Precision.FP32)
    np.testing.assert_array_equal(runner.run(ROWS[:1]), answers(ROWS[:1]))


def test_an_engine_with_its_outputs_in_another_order_answers_in_that_of_the_bundle(engines):
    made, driver, *_ = engines
    made.__dict__["_library"] = library(driver, names=("features", "anomaly", "remaining_life"))
    made.prepare(bundle(), Precision.FP32)
    runner = made.make(bundle(), Precision.FP32)
    np.testing.assert_array_equal(runner.run(ROWS[:1]), answers(ROWS[:1]))


def test_for_want_of_memory_no_engine_is_compiled(engines):
    made, driver, store, key, told = engines
    driver.fails = CudaError("cuStreamSynchronize failed: out of memory")
    with pytest.raises(GpuMemoryError):
        made.make(bundle(), Precision.FP32)
    assert (told, store.refused(key, made._gpu.identity, b"odd")) == ([], ""), "it is not the engine's fault"


def test_a_signed_engine_that_answers_otherwise_here_is_reported_once_and_loaded_once(engines, tmp_path):
    made, _, store, key, told = engines
    loads = made._library.module.loads
    for _ in range(3):
        with pytest.raises(NoEngineError, match="for the shared one: golden input 0"):
            made.make(bundle(), Precision.FP32)
    assert loads == [b"odd"]
    (change,) = told
    assert (change.event, change.release) == ("engine-refused", "engine-life/3")
    assert change.reason.startswith(f"engines/{key.target}/{key.name}: golden input 0: expected ")
    assert store.find(bundle(), made.facts).manifest.key == key, "it stays where it was brought"
    digest = write_engine(
        tmp_path / "engine", Engine(manifest=store.find(bundle(), made.facts).manifest, plan=b"plan")
    )
    store.withdraw(key)
    (tmp_path / "engine").rename(store.place(key, digest))
    made.make(bundle(), Precision.FP32).close()
    assert loads == [b"odd", b"plan"], "another one is tried"


def test_a_signed_engine_that_is_withdrawn_leaves_and_onnx_runtime_answers_the_next_row(engines, tmp_path):
    made, _, store, key, told = engines
    manifest = store.find(bundle(), made.facts).manifest
    digest = write_engine(tmp_path / "engine", Engine(manifest=manifest, plan=b"plan"))
    store.withdraw(key)
    (tmp_path / "engine").rename(store.place(key, digest))
    runners = DeviceRunners(made._profile, InferenceSettings(), tmp_path, store, tell=told.append)
    runners._native = made
    chain = runners.make(bundle())
    chain.run(ROWS[:1])
    assert chain.name == "tensorrt"
    runners.withdraw(key)
    np.testing.assert_allclose(chain.run(ROWS[:1]), answers(ROWS[:1]), rtol=1e-6)
    assert chain.name == "onnxruntime-cpu"
    assert told[-1].reason.endswith("instead of tensorrt fp32: its engine was withdrawn by the hub")
    chain.close()


def test_a_refusal_is_of_this_gpu_and_goes_with_its_release(engines):
    made, _, store, key, _ = engines
    store.refuse(key, made._gpu.identity, b"odd", "golden input 0")
    assert store.refused(key, "another GPU", b"odd") == store.refused(key, made._gpu.identity, b"plan") == ""
    store.keep(key.use_case, [])
    assert store.refused(key, made._gpu.identity, b"odd") == ""


SAID = [
    ("CUDA out of memory", GpuMemoryError),
    ("Error Code 2: OutOfMemory (Requested size was 4096 bytes.)", GpuMemoryError),
    ("cuMemHostAlloc failed: out of memory", GpuMemoryError),
    (  # TensorRT for RTX 1.7 on a machine without a driver
        "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (In ScopedCudaStream at /_src/common/dispatch/"
        "cudaResources.cpp:25 (cudaError 35: CUDA driver version is insufficient for CUDA runtime version))",
        DriverError,
    ),
    ("cuInit failed: no CUDA-capable device is detected", DriverError),
    (  # TensorRT for RTX 1.7 with bytes that are no engine
        "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion header.magicTag == "
        "kEXPECTED_MAGIC_TAG failed.Trying to load an engine created with incompatible serialization version)",
        ForeignEngineError,
    ),
    (
        "The engine plan file is generated on an incompatible device, expecting compute 8.6 got compute 8.9, "
        "please rebuild.",
        ForeignEngineError,
    ),
    ("an illegal memory access was encountered", InferenceError),
]


@pytest.mark.parametrize(("text", "kind"), SAID, ids=[text[:40] for text, _ in SAID])
def test_what_a_library_says_has_a_name(text, kind):
    error = named(text)
    assert type(error) is kind
    assert str(error) == text


@pytest.mark.skipif(gpu_here(), reason="a GPU answers here")
def test_a_device_without_pycuda_or_a_driver_says_what_to_do():
    with pytest.raises((UnavailableError, DriverError), match=r"andon\[gpu\]|nvidia-smi"):
        Gpu.open()
