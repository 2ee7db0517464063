"""A card draws what the held-out machines say, from the rows themselves."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cloud_hub.compiler.findings import findings
from models.examples import FAULTY, SOUND
from tests import engines
from wire.manifest import IntervalTable, Manifest, Output

CAP = 125.0


def manifest(*outputs: str, interval: bool = False) -> Manifest:
    table = IntervalTable(coverage=0.9, edges=(0.0, 60.0), lower=(10.0, 20.0), upper=(10.0, 20.0))
    return Manifest(
        use_case="u", version=1, release="u/1", machine_class="m", feature_set="trend/1", inputs=(), rtol=0, atol=0,
        outputs=tuple(Output(name=name, unit="h", low=0.0, high=CAP) for name in outputs),
        interval=table if interval else None,
    )  # fmt: skip


@pytest.fixture
def examples():
    lives = [np.zeros((100, 193), np.float32) for _ in range(4)]
    found = engines.examples_of(lives)
    return replace(found, faults=("ball", "cage"))


def test_an_error_that_grows_with_life_is_drawn_where_it_is(examples) -> None:
    truth = np.minimum(examples.remaining, CAP)
    told = (truth + np.where(truth > 50, 10, 0)).astype(np.float32)
    error, coverage = findings(examples, {"remaining_life": told}, manifest("remaining_life", interval=True))
    said = re.findall(r"left: ([+-][\d.]+) on average", error.html)
    assert float(said[0]) == 0
    assert float(said[-1]) == 10
    assert "100% of" in coverage.html
    assert "90%" in coverage.words


def test_a_confusion_counts_sound_rows_and_each_class(examples) -> None:
    examples.health[:200], examples.health[200:] = SOUND, FAULTY
    examples.fault[200:300], examples.fault[300:] = 0, 1
    chances = np.zeros((400, 2), np.float32)
    chances[200:400, 0] = 0.9  # it never tells a cage
    (found,) = findings(
        examples,
        {"fault_ball": chances[:, 0], "fault_cage": chances[:, 1]},
        manifest("fault_ball", "fault_cage"),
    )
    assert "75.0% of 400 labelled rows" in found.words
    assert "<tr><th>cage</th><td>0</td><td>100</td><td>0</td></tr>" in found.html


def test_an_anomaly_is_told_at_the_edge_of_healthy(examples) -> None:
    examples.health[:200], examples.health[200:] = SOUND, FAULTY
    score = np.where(np.arange(400) % 10 == 0, 1.5, 0.5).astype(np.float32)
    score[300:] = 2.0
    (found,) = findings(examples, {"anomaly": score}, manifest("anomaly"))
    assert "10.0% of sound rows and 55.0% of faulty ones" in found.words


def test_without_labels_nothing_is_drawn(examples) -> None:
    blind = replace(examples, remaining=np.full(400, np.nan, np.float32))
    answers = {
        name: np.zeros(400, np.float32) for name in ("remaining_life", "anomaly", "fault_ball", "fault_cage")
    }
    assert findings(blind, answers, manifest(*answers)) == []
