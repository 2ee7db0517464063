"""How figures are timed, judged and shown; and that a yardstick measures what it says."""

import json
import subprocess

import numpy as np
import pytest

from firmware_configs.figures import as_json, as_text, hold, judge, race
from kernels import bench as kernels_bench
from kernels import bench_start
from kernels.vibration import window_features


def found(**changes):
    return {"figure": "encode", "value": 30.0, "unit": "us", **changes}


def judged(*, quick=False, **changes):
    return judge(found(**changes), quick=quick, full="andon bench codec")


@pytest.mark.parametrize(
    ("bar", "holds"), [("<= 3.0", True), ("<= 2.9", False), (">= 3.0", True), (">= 3.1", False)]
)
def test_a_bar_is_on_the_ratio_where_there_is_a_reference(bar, holds):
    figure = judged(reference="NumPy", reference_value=10.0, bar=bar)
    assert (figure.ratio, figure.bar, figure.holds) == (3.0, bar, holds)


def test_a_bar_is_on_the_value_where_there_is_none():
    assert judged(bar="<= 30").holds is True
    assert judged(bar="<= 29").holds is False


def test_without_a_bar_nothing_is_judged():
    assert judged(reference="NumPy", reference_value=10.0).holds is None


def test_a_quick_run_judges_only_what_no_scale_changes_and_names_the_full_command():
    timed = judged(reference="NumPy", reference_value=10.0, bar="<= 2.0", quick=True)
    assert (timed.holds, timed.bar) == (None, "<= 2.0 (judged by: andon bench codec)")
    assert judged(bar="<= 4", exact=True, quick=True).holds is False


def test_one_failed_bar_fails_all_and_an_unjudged_one_does_not():
    held, failed, unjudged = judged(bar="<= 30"), judged(bar="<= 29"), judged()
    assert hold([held, unjudged])
    assert not hold([held, failed, unjudged])


@pytest.mark.parametrize("bar", ["", "<= 1.5 "])
def test_what_could_not_be_run_has_no_value_keeps_its_name_and_bar_and_says_why(bar):
    missing = {"figure": "fused", "unit": "ms", "bar": bar.strip(), "not_run": "no CUDA device"}
    figure = judge(missing, quick=False, full="andon bench gpu")
    assert (figure.figure, figure.value, figure.holds) == ("fused", None, None)
    assert figure.bar == f"{bar}(not run: no CUDA device)"
    assert hold([figure])
    assert json.loads(as_json([figure]))[0]["value"] is None
    assert "(not run: no CUDA device)" in as_text([figure])


def test_a_row_has_the_agreed_keys_and_the_table_shows_a_failure():
    figures = [judged(reference="NumPy", reference_value=10.0, bar="<= 2.0")]
    (row,) = json.loads(as_json(figures))
    assert list(row) == [
        "figure",
        "value",
        "unit",
        "reference",
        "reference_value",
        "ratio",
        "bar",
        "holds",
    ]
    assert "NO" in as_text(figures)


def test_contenders_take_turns_and_each_is_warmed_up_first():
    calls = []
    taken = race({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4)
    assert calls == list("abbaabbaab")
    assert {name: len(times) for name, times in taken.items()} == {"a": 4, "b": 4}
    assert all(seconds >= 0 for times in taken.values() for seconds in times)


def test_the_vectorised_yardstick_computes_the_same_features_as_the_kernels():
    windows = kernels_bench.draw(3)
    ours = window_features(windows, rate_hz=12_000.0, speed_hz=None, orders_=())
    np.testing.assert_allclose(kernels_bench.vectorised(windows, 12_000.0), ours, rtol=1e-3, atol=1e-4)


def test_a_start_is_held_to_its_seconds_and_what_cannot_compute_a_row_is_no_figure():
    taken = {"first row": [0.5, 0.75, 9.0], "bare": [0.25, 0.25, 0.25]}
    first, beside = (judge(row, quick=False, full="") for row in bench_start.start(lambda *_, **__: taken))
    assert (first.value, first.ratio, first.bar, first.holds) == (0.75, None, "<= 2.0", True)
    assert (beside.value, beside.ratio) == (0.75, 3.0)
    with pytest.raises(subprocess.CalledProcessError):
        bench_start._run("raise SystemExit(1)")
