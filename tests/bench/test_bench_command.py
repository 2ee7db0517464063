"""``andon bench``: rows in the agreed form, and an exit status that follows from them. No time is asserted."""

import json
import subprocess
import sys

import pytest

import andon

KEYS = {"figure", "value", "unit", "reference", "reference_value", "ratio", "bar", "holds"}


def bench(*arguments):
    code = "import sys; sys.argv = ['andon', 'bench', *sys.argv[1:]]; import andon; andon.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


# Minutes of a fleet at a real hub, or of training: what they make of a result is in test_bench_rollout and in
# tests/training/test_training_bench_*.
LONG = {"console", "models", "rollout"}


@pytest.mark.parametrize("name", sorted(andon.BENCHMARKS.keys() - LONG))
def test_a_quick_benchmark_prints_rows_that_say_what_they_are_held_against(name):
    done = bench(name, "--quick", "--json")
    rows = json.loads(done.stdout)
    assert rows
    assert done.returncode == (1 if any(row["holds"] is False for row in rows) else 0)
    for row in rows:
        assert row.keys() == KEYS
        if row["value"] is None:
            assert "(not run: " in row["bar"]
            assert (row["reference"], row["holds"]) == (None, None)
            continue
        assert row["value"] > 0
        assert (row["reference"] is None) == (row["reference_value"] is None) == (row["ratio"] is None)
        if row["bar"] and row["holds"] is None:
            assert row["bar"].endswith(f"(judged by: andon bench {name})")


def test_figures_have_names_of_their_own():
    rows = json.loads(bench("codec", "--quick", "--json").stdout)
    assert len({row["figure"] for row in rows}) == len(rows)


def test_an_unknown_benchmark_is_wrong_usage_and_names_those_there_are():
    done = bench("nonsense")
    assert done.returncode == 2
    assert "kernels" in done.stderr
