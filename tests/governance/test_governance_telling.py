"""A row of the audit list: what was decided, in one line, however much is kept of it."""

import pytest

from cloud_hub.governance.telling import LONGEST, summary

GATE = {
    "passed": True,
    "reason": "RMSE 12 h",
    "checks": [{"name": "size", "passed": True, "found": "742.5 kB", "bar": "<= 16.78 MB"}],
    "evidence": {"rmse": 12.0, "paired": [{"rival": "mean"}]},
}


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({}, ""),
        ({"override": "", "gate": GATE, "missing": ""}, "gate (passed; reason: RMSE 12 h)"),
        (
            {"release": "m/2", "passed": False, "reason": "too large"},
            "not passed; reason: too large; release: m/2",
        ),
        ({"wave": 0, "reason": "x", "offered": 1.0}, "reason: x; offered: 1; wave: 0"),
        ({"releases": ["a/1", "a/2"], "datasets": []}, "releases: a/1, a/2"),
        ({"learnt_from": [f"pump-{n}" for n in range(9)]}, "learnt from: pump-0, pump-1, pump-2 and 6 more"),
        ({"checks": [{"name": "size"}, {"name": "latency"}]}, "2 checks"),
        ({"reason": "two\nlines\x1b[31m"}, "reason: two\\nlines\\x1b[31m"),
    ],
)
def test_an_entry_is_told_in_one_line_without_what_is_empty(detail, told):
    assert summary(detail) == told


def test_what_is_long_is_cut_and_says_so():
    line = summary({"reason": "a" * 500})
    assert len(line) == LONGEST
    assert line.endswith("a…")
