"""What a device of each profile runs its networks with, on a machine that lacks most of it."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from edge_runners import answers, bundle, standings

from edge_agent import selftest
from edge_agent.config import InferenceSettings
from edge_agent.engine_store import EngineStore
from edge_agent.errors import InferenceError
from edge_agent.runners import device, preference
from edge_agent.runners.chain_text import answering, passed_over
from edge_agent.runners.compiler import Compiler
from edge_agent.runners.compiler_process import built_with
from edge_agent.runners.device import DeviceRunners
from edge_agent.runners.errors import NoEngineError, UnavailableError
from edge_agent.runners.onnx import CUDA, OnnxRunner
from edge_agent.updates.disk import Disk
from firmware_configs.engines.build import Built
from firmware_configs.engines.library import check_gpu, find
from firmware_configs.errors import HostError
from firmware_configs.profiles import Runtime, profiles
from wire.bundle import write_bundle
from wire.precision import Precision

ROW = np.array([[5, 0, 0]], np.float32)
HERE = {profile.runtime: profile for _, profile in sorted(profiles().items())}  # one of each runtime


def order(profile, settings, **variants):
    made = replace(bundle(), variants={Precision(name): b"variant" for name in variants})
    return [f"{name} {precision}" for name, precision in preference.order(profile, settings, made)]


ONNX = ["onnxruntime-cuda fp32", "onnxruntime-cpu fp32"]
JETSON = replace(HERE[Runtime.TENSORRT], precisions=("fp32", "tf32", "fp16", "int8"))


@pytest.mark.parametrize(
    ("profile", "settings", "variants", "expected"),
    [
        (HERE[Runtime.ONNXRUNTIME], {}, ["fp16"], ["onnxruntime-cpu fp32"]),
        (JETSON, {}, [], ["tensorrt fp32", *ONNX]),
        (JETSON, {}, ["int8", "fp16"], ["tensorrt fp16", "tensorrt int8", "tensorrt fp32", *ONNX]),
        (JETSON, {}, ["bf16"], ["tensorrt fp32", *ONNX]),
        (JETSON, {"precisions": ["tf32"]}, ["fp16"], ["tensorrt tf32", *ONNX]),
        (JETSON, {"precisions": ["int8"]}, [], ONNX),
        (JETSON, {"runner": "onnxruntime-cuda"}, ["fp16"], ONNX),
        (JETSON, {"runner": "onnxruntime-tensorrt"}, [], ["onnxruntime-tensorrt fp32", *ONNX]),
        (JETSON, {"runner": "onnxruntime-cpu"}, ["fp16"], ["onnxruntime-cpu fp32"]),
        (HERE[Runtime.ONNXRUNTIME], {"runner": "onnxruntime-cuda"}, [], ONNX),
    ],
)
def test_profile_operator_and_bundle_decide_what_is_tried_first(profile, settings, variants, expected):
    assert order(profile, InferenceSettings(**settings), **dict.fromkeys(variants)) == expected


def test_the_configuration_offers_what_there_is():
    fields = InferenceSettings.model_fields
    assert get_args(fields["runner"].annotation) == preference.RUNNERS
    assert get_args(get_args(fields["precisions"].annotation)[0]) == tuple(Precision)


@pytest.fixture
def runners(tmp_path):
    made = []

    def make(profile, told=None, **settings):
        store = EngineStore(tmp_path, Disk())
        tell = (told if told is not None else []).append
        made.append(DeviceRunners(profile, InferenceSettings(**settings), tmp_path, store, tell=tell))
        return made[-1]

    yield make
    for each in made:
        each.stop()


NO_GPU = {
    Runtime.TENSORRT: "tensorrt cannot be imported|expected a GPU|expected a driver",
    Runtime.TENSORRT_RTX: "tensorrt_rtx cannot be imported|expected a GPU that CUDA's driver answers for",
}


@pytest.mark.parametrize("runtime", [Runtime.TENSORRT, Runtime.TENSORRT_RTX])
def test_without_a_gpu_onnx_runtime_answers_and_the_reasons_are_told_once(runners, runtime):
    told = []
    made = runners(HERE[runtime], told)
    if made.facts is not None:
        pytest.skip("a GPU answers here")
    chain = made.make(bundle())
    np.testing.assert_allclose(chain.run(ROW), answers(ROW), rtol=1e-6)
    assert standings(chain) == {runtime: "absent", "onnxruntime-cuda": "absent", "onnxruntime-cpu": "stands"}
    native, on_cuda = passed_over(chain.describe())
    assert native.startswith(f"not {runtime} fp32: ")
    assert any(part in native for part in NO_GPU[runtime].split("|"))
    assert "onnxruntime-gpu" in on_cuda
    assert answering(chain.describe()).startswith("onnxruntime-cpu fp32, ")
    chain.run(ROW)
    made.make.tend()
    (change,) = told
    assert change.reason.startswith(f"onnxruntime-cpu fp32 answers instead of {runtime} fp32: ")


def test_a_device_that_is_to_run_no_engines_asks_for_none(runners):
    assert runners(HERE[Runtime.ONNXRUNTIME]).facts is None
    assert runners(HERE[Runtime.TENSORRT], runner="onnxruntime-cpu").facts is None


def test_a_provider_that_this_build_lacks_is_named_with_what_to_do():
    with pytest.raises(UnavailableError, match="expected an ONNX Runtime with CUDAExecutionProvider, got"):
        OnnxRunner(bundle().onnx, CUDA)


def test_an_engine_that_cannot_be_compiled_here_says_why(tmp_path):
    """The builder is a process of its own, and really started."""
    with suppress(HostError):
        check_gpu(find(Runtime.TENSORRT_RTX))
        pytest.skip("a GPU answers here")
    compiler = Compiler(tmp_path / "compiling", 1 << 28)
    with pytest.raises(InferenceError, match="cannot be compiled here: expected a GPU that CUDA's driver"):
        compiler.compile(Runtime.TENSORRT_RTX, bundle().onnx, tf32=False)
    assert list((tmp_path / "compiling").iterdir()) == [], "nothing of it stays"


def test_a_builder_whose_agent_is_gone_builds_nothing():
    another = str(os.getpid() + 1)
    command = [sys.executable, "-m", "edge_agent.runners.compiler_process", another]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the agent has ended\n")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems schedule otherwise")
def test_a_builder_is_no_real_time_process_and_comes_behind_all():
    code = (
        "import os; from edge_agent.runners.compiler_process import _step_back; _step_back(os.getppid());"
        " print(os.sched_getscheduler(0) == os.SCHED_BATCH, os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "19"], done.stderr


def test_timings_over_which_a_library_stumbles_cost_a_second_build_and_no_engine():
    tried, made = [], Built(plan=b"plan", timing_cache=b"new", seconds=1.0)

    def building(timings):
        tried.append(timings)
        if timings == b"damaged":
            raise ValueError("a null pointer")
        return made

    assert (
        built_with(b"damaged", building)
        is built_with(b"sound", building)
        is built_with(b"", building)
        is made
    )
    assert tried == [b"damaged", b"", b"sound", b""]


def test_compiling_ends_with_the_agent(tmp_path):
    compiler = Compiler(tmp_path / "compiling", 1 << 28)
    compiler.stop()
    with pytest.raises(InferenceError, match="compiling ended with the agent"):
        compiler.compile(Runtime.TENSORRT_RTX, bundle().onnx, tf32=False)


@pytest.mark.parametrize("runner", ["onnxruntime-cpu", "onnxruntime-tensorrt"])
def test_memory_that_a_library_takes_is_held_against_no_release(runners, monkeypatch, runner):
    """50 MB that come with an execution, while the model that runs in it is on probation."""
    made, held = runners(HERE[Runtime.ONNXRUNTIME], runner=runner), []

    def heavy(found, name):
        held.append(np.ones(50 << 20, np.uint8))
        return OnnxRunner(found.onnx)

    monkeypatch.setattr(device, "_in_onnx_runtime", heavy)
    way = made.ways(bundle())[0]
    before = made.memory()
    if way.prepare is not None:
        way.prepare(bundle())
    way.make(bundle()).close()
    after = made.memory()
    if before is None:
        pytest.skip("nobody tells how much memory a process takes here")
    assert abs(after - before) < 10 << 20
    held.append(np.ones(50 << 20, np.uint8))
    assert made.memory() - after > 40 << 20, "what comes otherwise is counted"


class Meeting(OnnxRunner):
    """Notes how many rows it is asked; it may stumble over so many."""

    met, stumbles, closed = [], 0, 0

    def run(self, features):
        self.met.append(len(features))
        if len(features) == self.stumbles:
            raise InferenceError("no memory to compile with")
        return super().run(features)

    def close(self):
        type(self).closed += 1
        super().close()


def test_what_compiles_beside_its_first_rows_has_compiled_for_most_and_fewest_before_any_row_waits(
    runners, monkeypatch
):
    monkeypatch.setattr(device, "_in_onnx_runtime", lambda found, name: Meeting(found.onnx))
    monkeypatch.setattr(Meeting, "met", [])
    way = runners(HERE[Runtime.ONNXRUNTIME], runner="onnxruntime-tensorrt").ways(bundle())[0]
    with pytest.raises(NoEngineError):
        way.make(bundle())
    assert Meeting.met == []
    way.prepare(bundle())
    assert Meeting.met == [1000, 1]
    runner = way.make(bundle())
    np.testing.assert_allclose(runner.run(ROW), answers(ROW), rtol=1e-6)
    runner.close()


def test_what_cannot_compile_is_closed_and_is_no_runner(runners, monkeypatch):
    monkeypatch.setattr(device, "_in_onnx_runtime", lambda found, name: Meeting(found.onnx))
    monkeypatch.setattr(Meeting, "stumbles", 1)
    monkeypatch.setattr(Meeting, "closed", 0)
    way = runners(HERE[Runtime.ONNXRUNTIME], runner="onnxruntime-tensorrt").ways(bundle())[0]
    with pytest.raises(InferenceError, match="no memory to compile with"):
        way.prepare(bundle())
    assert Meeting.closed == 1
    with pytest.raises(NoEngineError):
        way.make(bundle())


def test_an_execution_that_comes_and_goes_does_not_hide_what_a_model_takes(runners, monkeypatch):
    """Each time it takes 50 MB and gives them back: nothing of it is set aside for ever."""

    class Heavy(OnnxRunner):
        def __init__(self, onnx):
            super().__init__(onnx)
            self.held = np.ones(50 << 20, np.uint8)

    monkeypatch.setattr(device, "_in_onnx_runtime", lambda found, name: Heavy(found.onnx))
    made = runners(HERE[Runtime.ONNXRUNTIME])
    way = made.ways(bundle())[-1]
    before = made.memory()
    if before is None:
        pytest.skip("nobody tells how much memory a process takes here")
    for _ in range(3):
        way.make(bundle()).close()
    assert abs(made.memory() - before) < 10 << 20


def test_a_self_test_says_what_a_release_runs_in_and_why_not_better(runners, tmp_path):
    slots = tmp_path / "updates" / "slots" / "engine-life"
    (slots / "a").mkdir(parents=True)
    write_bundle(slots / "a" / "bundle.zip", bundle())
    (slots / "current").write_text("a")
    made = runners(HERE[Runtime.TENSORRT_RTX])
    if made.facts is not None:
        pytest.skip("a GPU answers here")
    (finding,) = (each for each in selftest.run(tmp_path, made) if each.name == "release of engine-life")
    assert finding.passed
    assert finding.detail.startswith("engine-life/3 answers its golden inputs in onnxruntime-cpu fp32, ")
    native, on_cuda = finding.notes
    assert native.startswith("not tensorrt-rtx fp32: ")
    assert on_cuda.startswith("not onnxruntime-cuda fp32: ")
