"""What ``make gpu-check`` makes of tests and figures, and what it says on a host without a GPU."""

import ctypes.util
import json
import subprocess
import sys
from pathlib import Path

import gpu_check
import gpu_tests
import pytest
from gpu_check import as_json, as_text, status
from gpu_machine import REPOSITORY, Machine
from gpu_tests import Became, Outcome

from firmware_configs.figures import judge

HERE = Machine(facts={"GPU": "a GPU", "driver": "595.1"}, missing={"CuPy": "not installed"}, no_device="")
PASSED = Outcome(test="graph: is fast", became=Became.PASSED, seconds=1.5, told="worst 0.25")
FAILED = Outcome(test="graph: is right", became=Became.FAILED, seconds=0.5, told="assert 1 == 2")
SKIPPED = Outcome(test="graph: is there", became=Became.NOT_RUN, seconds=0.0, told="no such GPU")
MARKED = """
import pytest

@pytest.mark.gpu
def test_a_figure_is_told(record_property):
    record_property("worst", 0.25)

@pytest.mark.gpu
def test_one_fails():
    assert 1 == 2, "one is not two"

@pytest.mark.gpu
@pytest.mark.skip(reason="no such GPU")
def test_one_needs_another_gpu():
    pass

def test_of_the_cpu():
    raise SystemExit("not asked for")
"""

no_gpu = pytest.mark.skipif(
    ctypes.util.find_library("cuda") is not None, reason="NVIDIA's driver is installed: make gpu-check"
)


def figure(value: float):
    found = {"figure": "window", "value": value, "unit": "us", "bar": "<= 100"}
    return judge(found, quick=False, full="make gpu-check")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marked")
    (folder / "test_marked.py").write_text(MARKED)
    return {outcome.test: outcome for outcome in gpu_tests.run(folder)}


def test_only_what_needs_a_gpu_is_run_and_each_says_what_became_of_it(outcomes):
    assert {test: outcome.became for test, outcome in outcomes.items()} == {
        "test_marked: a figure is told": Became.PASSED,
        "test_marked: one fails": Became.FAILED,
        "test_marked: one needs another gpu": Became.NOT_RUN,
    }


def test_figures_and_reasons_of_tests_are_told(outcomes):
    told = [outcome.told for outcome in outcomes.values()]
    assert told[0] == "worst 0.25"
    assert "one is not two" in told[1]
    assert told[2] == "no such GPU"


def test_a_folder_without_such_tests_gives_no_row_and_what_cannot_even_be_imported_there_is_left_alone(
    tmp_path,
):
    (tmp_path / "test_of_the_hub.py").write_text("import nothing_of_that_name")
    assert gpu_tests.run(tmp_path) == []


def test_a_module_that_cannot_be_collected_is_a_test_that_failed():
    report = """<testsuites><testsuite><testcase file="" name="tests.gpu.test_broken" time="0.0">
        <error message="collection failure">No module named 'nothing'</error></testcase></testsuite></testsuites>"""
    (row,) = gpu_tests.read(report)
    assert (row.became, row.told) == (Became.FAILED, "collection failure")


@pytest.mark.parametrize(
    ("tests", "found", "expected"),
    [
        ([PASSED], [figure(90)], 0),
        ([PASSED, FAILED], [figure(90)], 1),
        ([PASSED], [figure(110)], 1),
        ([PASSED], [FAILED], 1),
        ([SKIPPED], [], 1),
        ([SKIPPED], [figure(90)], 1),
        ([SKIPPED, PASSED], [], 0),
        ([], [], 1),
    ],
)
def test_what_failed_misses_its_bar_or_was_never_run_decides_the_exit_status(tests, found, expected):
    assert status(tests, found, device=True) == expected


def test_without_a_gpu_there_is_nothing_to_fail():
    assert status([], [], device=False) == 0


def test_a_benchmark_that_cannot_be_run_is_a_row_that_failed():
    (row,) = gpu_check.measure("kernels.no_such_module:gpu", quick=True)
    assert (row.became, row.test) == (Became.FAILED, "kernels.no_such_module:gpu")
    assert "no_such_module" in row.told


def test_the_tables_show_the_host_every_test_every_figure_and_how_many_of_each():
    text = as_text(HERE, [PASSED, FAILED], [figure(110)])
    for part in ("595.1", "CuPy", "worst 0.25", "assert 1 == 2", "FAILED", "110 us", "NO"):
        assert part in text
    assert text.endswith("tests: 1 passed, 1 FAILED, 0 not run")


def test_the_json_holds_the_same():
    found = json.loads(as_json(HERE, [PASSED], [figure(90), FAILED]))
    assert found["machine"] == HERE.facts
    assert [row["became"] for row in found["tests"]] == ["passed", "FAILED"]
    assert [row["holds"] for row in found["figures"]] == [True]
    assert found["not_run"] == ""


@no_gpu
def test_without_a_gpu_nothing_is_run_nothing_fails_and_what_is_missing_is_named():
    script = Path(gpu_check.__file__)
    done = subprocess.run(
        [sys.executable, script, "--json"], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["not_run"].startswith("no CUDA device: ")
    assert "pip install 'andon[gpu]'" in found["not_run"]
    assert found["tests"] == found["figures"] == []
    assert {"date", "commit", "system", "Numba", "numba-cuda"} <= found["machine"].keys()
    assert {"CUDA of the driver"} <= found["missing"].keys()
