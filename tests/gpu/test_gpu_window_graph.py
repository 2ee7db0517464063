"""A window's kernel and engine in one recorded launch, on twins in memory that keep CUDA's rules."""

import ctypes.util
import gc
from itertools import pairwise

import numpy as np
import pytest
from cuda.bindings import driver as real
from gpu_twins import Driver, Engine, Kernel
from onnx import TensorProto, helper, numpy_helper

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.errors import DriverError, GpuMemoryError
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.recorded.cuda_driver import Cuda
from edge_agent.runners.recorded.engine_row import ALIGNED, EngineRow
from edge_agent.runners.recorded.window_graph import WindowGraph
from edge_agent.runners.recorded.window_layout import WindowLayout, check_extractor
from firmware_configs.engines.library import find
from firmware_configs.profiles import Runtime
from kernels import sets
from kernels.errors import KernelInputError

LENGTH, RATE_HZ, CHANNELS = 512, 8192.0, 3
FAILED = "CUDA_ERROR_ILLEGAL_ADDRESS"

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX, whose names the twin of an engine answers to")


def network(width):
    """Two outputs, each a sum over all features, weighed so that a feature in a wrong place shows."""
    weights = np.linspace(0.5, 1.5, 2 * width).reshape(width, 2).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["both"]),
            helper.make_node("Split", ["both"], ["remaining_life", "anomaly"], axis=1),
        ],
        "sums",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1])
            for name in ("remaining_life", "anomaly")
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def extractor_of(*scalars, feature_set="vibration/1", rates=(RATE_HZ,) * CHANNELS):
    waveforms = [(f"vibration_{place}", rate, 0) for place, rate in enumerate(rates)]
    return sets.make(feature_set, scalars=scalars, waveforms=waveforms, units={"speed": "Hz"})


class World:
    """One machine, one network, and everything that a recorded window is made of."""

    def __init__(
        self, scalars=("load", "speed"), *, mapped=False, recorded=True, recordable=True, kernel=Kernel
    ):
        self.extractor = check_extractor(extractor_of(*scalars))
        self.onnx = network(self.extractor.width)
        self.driver = Driver()
        library = find(Runtime.TENSORRT_RTX)
        self.cuda = Cuda(self.driver)
        self.engine = EngineRow(
            library,
            Engine(self.driver, library.module, self.onnx, recordable=recordable),
            width=self.extractor.width,
        )
        kernel = kernel(self.driver, self.extractor, LENGTH)
        self.graph = WindowGraph(
            self.extractor, kernel, self.engine, self.cuda, length=LENGTH, mapped=mapped, recorded=recorded
        )

    def held(self):
        return sorted(kind for kind, _ in self.driver.held.values())


def draw(seed, length=LENGTH):
    rng = np.random.default_rng(seed)
    return list(rng.normal(0.3, 1.0 + seed, (CHANNELS, length)).astype(np.float32))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("scalars", [("load", "speed"), ("load",), ()])
def test_row_and_outputs_are_those_of_the_cpu_window_after_window(scalars, recorded, mapped):
    world = World(scalars, mapped=mapped, recorded=recorded)
    runner, state = OnnxRunner(world.onnx), world.extractor.initial()
    for seed in range(3):
        known = np.array([3.5 + seed, 17.0 + 4 * seed][: len(scalars)])
        expected = world.extractor.update(state, 0, known, draw(seed))
        answered = world.graph.run(draw(seed), known)
        np.testing.assert_allclose(answered.row, expected, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(answered.outputs, runner.run(answered.row[None, :]), rtol=1e-6)


def test_what_was_answered_stays_when_the_next_window_comes():
    world = World()
    known = np.array([1.0, 20.0])
    first = world.graph.run(draw(1), known)
    kept = first.row.copy(), first.outputs.copy()
    world.graph.run(draw(2), known)
    np.testing.assert_array_equal(first.row, kept[0])
    np.testing.assert_array_equal(first.outputs, kept[1])


def test_a_recorded_window_is_one_launch_and_one_wait():
    world = World()
    world.driver.calls.clear()
    world.graph.run(draw(1), np.array([1.0, 20.0]))
    assert world.driver.calls == ["cuCtxSetCurrent", "cuGraphLaunch", "cuStreamSynchronize"]


def test_shared_memory_is_copied_nowhere():
    world = World(mapped=True, recorded=False)
    world.driver.calls.clear()
    world.graph.run(draw(1), np.array([1.0, 20.0]))
    assert not [call for call in world.driver.calls if "Memcpy" in call]


@pytest.mark.parametrize("recorded", [True, False])
def test_what_was_opened_is_given_back_and_what_is_the_owners_stays(recorded):
    world = World(recorded=recorded)
    world.graph.close()
    assert world.held() == ["context", "stream"]
    world.engine.close()
    world.cuda.close()
    assert world.held() == []


class Allocating(Kernel):
    """It takes memory at every launch, which no recording survives."""

    def put(self, **places):
        super().put(**places)
        self._driver.cuMemFree(Cuda(self._driver).ask("cuMemAlloc", 64))


def test_a_kernel_that_takes_memory_while_it_is_recorded_is_refused_and_all_is_given_back():
    with pytest.raises(InferenceError, match="cuMemAlloc: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"):
        World(kernel=Allocating)


class Raising(Kernel):
    def __init__(self, driver, *rest):
        super().__init__(driver, *rest)
        Raising.driver = driver

    def put(self, **places):
        super().put(**places)
        if "cuStreamBeginCapture" in self._driver.calls:
            raise RuntimeError("the launch has too few resources")


def test_a_launch_that_fails_while_it_is_recorded_ends_the_recording_and_gives_memory_back():
    with pytest.raises(InferenceError, match="run together: the launch has too few resources"):
        World(kernel=Raising)
    assert Raising.driver.calls.count("cuStreamEndCapture") == 1
    assert sorted(kind for kind, _ in Raising.driver.held.values()) == ["context", "stream"]


def test_garbage_is_collected_again_after_a_recording():
    World()
    assert gc.isenabled()
    with pytest.raises(InferenceError):
        World(kernel=Raising)
    assert gc.isenabled()


def test_an_engine_that_cannot_be_recorded_says_so_and_still_runs_unrecorded():
    with pytest.raises(InferenceError, match="cannot be recorded"):
        World(recordable=False)
    answered = World(recordable=False, recorded=False).graph.run(draw(1), np.array([1.0, 20.0]))
    assert np.isfinite(answered.outputs).all()


def test_a_kernel_that_fails_on_the_device_is_an_error_by_cudas_name_and_closing_does_no_more_harm():
    world = World()
    world.driver.failing["cuStreamSynchronize"] = getattr(world.driver.CUresult, FAILED)
    with pytest.raises(InferenceError, match=f"cuStreamSynchronize: {FAILED}: so says the twin"):
        world.graph.run(draw(1), np.array([1.0, 20.0]))
    world.graph.close()


def test_no_memory_left_on_the_gpu_is_told_by_its_name():
    driver = Driver()
    driver.failing["cuStreamCreate"] = driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY
    with pytest.raises(GpuMemoryError, match="cuStreamCreate"):
        Cuda(driver)


no_driver = pytest.mark.skipif(
    ctypes.util.find_library("cuda") is not None, reason="NVIDIA's driver is installed, and would do it"
)


@no_driver
@pytest.mark.parametrize("mapped", [False, True])
def test_the_real_bindings_take_every_argument_as_it_is_given(mapped):
    """They look at the arguments first, and find no driver then."""
    world = World(mapped=mapped)
    world.graph.run(draw(1), np.array([1.0, 20.0]))
    world.cuda.shares_memory()
    world.graph.close()
    world.cuda.close()
    assert len(world.driver.asked) >= 18
    for call, arguments in world.driver.asked.items():
        with pytest.raises(RuntimeError, match="NVIDIA driver library"):
            getattr(real, call)(*arguments)


def test_what_the_twin_of_an_engine_answers_to_are_names_of_the_real_one():
    trt = find(Runtime.TENSORRT_RTX).module
    known = {*dir(trt.ICudaEngine), *dir(trt.IExecutionContext)}
    assert {name for name in vars(Engine) if not name.startswith("_")} <= known
    assert hasattr(trt.IRuntimeConfig, "dynamic_shapes_kernel_specialization_strategy")


@no_driver
def test_without_a_driver_it_is_the_driver_that_is_missing():
    with pytest.raises(DriverError, match="driver is missing, or too old for cuInit"):
        Cuda.open()


def test_windows_of_another_length_are_somebody_elses_to_answer():
    with pytest.raises(FeatureMismatchError, match="expected windows of 512 samples, got 256, 256, 256"):
        World().graph.run(draw(1, length=256), np.array([1.0, 20.0]))


def bad_windows():
    spoilt = draw(1)
    spoilt[1][7] = np.nan
    return [(spoilt, "vibration_1: expected finite samples"), (draw(1)[:2], "one for each of 3 waveforms")]


@pytest.mark.parametrize(("windows", "told"), bad_windows())
def test_what_no_twin_takes_is_refused_by_name_before_the_gpu_sees_it(windows, told):
    world = World()
    world.driver.calls.clear()
    with pytest.raises(KernelInputError, match=told):
        world.graph.run(windows, np.array([1.0, 20.0]))
    assert not world.driver.calls


def test_a_scalar_that_is_not_known_yet_makes_no_row():
    with pytest.raises(KernelInputError, match="2 known values"):
        World().graph.run(draw(1), np.array([1.0, np.nan]))


@pytest.mark.parametrize("feature_set", ["bearing/1", "vibration-trend/1", "vibration-trend/2"])
def test_a_set_that_is_more_than_one_window_is_refused_by_what_it_is(feature_set):
    with pytest.raises(FeatureMismatchError, match=r"features of windows alone \(vibration/1\)"):
        check_extractor(extractor_of("speed", feature_set=feature_set))


def test_waveforms_of_two_rates_are_refused():
    with pytest.raises(FeatureMismatchError, match="one rate and length, got vibration_0: any at 8192 Hz"):
        check_extractor(extractor_of("speed", rates=(8192.0, 4096.0)))


def test_an_engine_for_other_rows_is_refused():
    library = find(Runtime.TENSORRT_RTX)
    with pytest.raises(FeatureMismatchError, match=r"rows of 90 features, got \(-1, 83\)"):
        EngineRow(library, Engine(Driver(), library.module, network(83)), width=90)


@pytest.mark.parametrize("lines", [0, 9])
@pytest.mark.parametrize("length", [64, 65, 4096])
def test_every_part_lies_where_tensorrt_takes_it_and_none_lies_on_another(length, lines):
    outputs = {"remaining_life": 1, "anomaly": 70}
    layout = WindowLayout.of(channels=4, length=length, lines=lines, width=109, outputs=outputs)
    parts = [layout.windows, layout.ranges, layout.row, *layout.outputs.values()]
    assert all(part.start % ALIGNED == 0 for part in parts)
    assert all(before.stop <= after.start for before, after in pairwise(parts))
    assert layout.size >= parts[-1].stop
