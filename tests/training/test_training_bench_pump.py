"""The figures of pump-anomaly: labels are for scoring, and nobody else sees them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloud_hub.training.bench_pump import figures
from simulators.recorded_skab import read_skab

RUNS = ("1", "3", "7")
LABEL = -2  # the column


def shortened(data: Path, folder: Path, *, flipped: bool) -> Path:
    """Three runs, and some of ``anomaly-free``, with their labels as they are or turned round."""
    for name, count in [(f"valve1/{run}", 1000) for run in RUNS] + [("anomaly-free/anomaly-free", 500)]:
        lines = (data / "skab" / f"{name}.csv").read_text().splitlines()[: count + 1]
        path = folder / "skab" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = [line.split(";") for line in lines]
        if flipped and cells[0][LABEL] == "anomaly":
            for row in cells[1:]:
                row[LABEL] = str(1.0 - float(row[LABEL]))
        path.write_text("\n".join(map(";".join, cells)) + "\n")
    return folder


def told(data: Path) -> dict[str, Any]:
    return {row["figure"]: row for row in figures(True, data)}


@pytest.fixture(scope="module")
def shown(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(shortened(recorded_data, tmp_path_factory.mktemp("as-is"), flipped=False))


@pytest.fixture(scope="module")
def flipped(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return told(shortened(recorded_data, tmp_path_factory.mktemp("flipped"), flipped=True))


def test_labels_turned_round_change_the_rates_and_nothing_that_was_learnt(
    shown: dict[str, Any], flipped: dict[str, Any]
) -> None:
    label = "pump-anomaly, 3 runs"
    for who in ("the product", "PCA T2+Q", "isolation forest"):
        alarmed = 1 - shown[f"{label}: missed-alarm rate of {who}"]["value"]
        assert flipped[f"{label}: false-alarm rate of {who}"]["value"] == pytest.approx(alarmed)
    quiet = "pump-anomaly, anomaly-free at four times the flow: false-alarm rate of the product"
    assert shown[quiet]["value"] == flipped[quiet]["value"]


def test_a_valve_that_closes_is_found_on_three_machines(shown: dict[str, Any]) -> None:
    label = "pump-anomaly, 3 runs"
    assert shown[f"{label}: F1 of the product"]["value"] > 0.8
    assert shown[f"{label}: false-alarm rate of the product"]["value"] < 0.15


def test_every_row_can_be_told_as_json_and_a_bar_on_all_runs_judges_no_fewer(shown: dict[str, Any]) -> None:
    json.dumps(list(shown.values()))
    assert [name for name, row in shown.items() if row.get("bar")] == ["pump-anomaly: features and training"]
    assert not any("always-alarm" in name for name in shown if ", run " in name)


def test_the_testbed_is_measured_by_its_own_beginning(recorded_data: Path) -> None:
    (track,) = read_skab(recorded_data / "skab" / "valve1" / "0.csv").tracks
    assert (track.machine.machine_class, track.machine.feature_set) == ("water-loop", "deviation/1")
