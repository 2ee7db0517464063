"""What ``andon bench gpu`` says where there is no GPU, and that the networks it draws are what they claim."""

import ctypes.util
from functools import partial

import numpy as np
import onnx
import pytest

from edge_agent.bench_gpu import ELSEWHERE, PRECISIONS, gpu
from edge_agent.bench_network import drawn
from edge_agent.runners.onnx import OnnxRunner
from firmware_configs.engines.build import build
from firmware_configs.engines.library import find
from firmware_configs.figures import hold, judge, race
from firmware_configs.profiles import Runtime
from wire.precision import Precision

WIDTH = 109
OFF = {Precision.FP32: 0.0, Precision.TF32: 0.0, Precision.FP16: 0.005, Precision.INT8: 0.1}

pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX, which compiles without a GPU")

no_gpu = pytest.mark.skipif(
    ctypes.util.find_library("cuda") is not None, reason="NVIDIA's driver is installed: make gpu-check"
)


@pytest.fixture(scope="module")
def figures():
    found = gpu(lambda runs, rounds: race(runs, rounds=3), quick=True)
    return [judge(row, quick=True, full="andon bench gpu") for row in found]


@no_gpu
def test_without_a_gpu_each_row_of_it_says_that_it_was_not_run_and_why(figures):
    missed = [row for row in figures if "on the GPU" in row.figure]
    assert len(missed) == 5
    assert all("(not run: no GPU to be used: NVIDIA's driver is missing" in row.bar for row in missed)
    assert {row.value for row in missed} == {None}
    assert hold(figures)


@no_gpu
def test_the_cpus_rows_and_the_builds_for_elsewhere_are_run_all_the_same(figures):
    run = {row.figure: row.value for row in figures if row.value is not None}
    assert sum("on the CPU" in figure for figure in run) == 2
    assert sum(f"for compute capability {ELSEWHERE}" in figure for figure in run) == len(PRECISIONS)
    assert all(value > 0 for value in run.values())


def test_figures_have_names_of_their_own(figures):
    assert len({row.figure for row in figures}) == len(figures)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_drawn_network_answers_nearly_the_same_in_every_precision(precision):
    features = np.random.default_rng(1).normal(size=(20, WIDTH)).astype(np.float32)
    network = drawn(WIDTH, precision)
    onnx.checker.check_model(network)
    expected = OnnxRunner(drawn(WIDTH)).run(features)
    found = OnnxRunner(network).run(features)
    assert np.abs(found - expected).max() <= OFF[precision] * np.ptp(expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_drawn_network_compiles_in_every_precision(precision):
    compiled = partial(build, find(Runtime.TENSORRT_RTX), workspace_bytes=256 << 20)
    assert compiled(drawn(WIDTH, precision), compute_capabilities=(ELSEWHERE,)).plan
