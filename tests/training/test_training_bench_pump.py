"""The figures of pump-anomaly: labels are for scoring, and nobody else sees them."""

import json
from pathlib import Path
from typing import Any

import pytest

from cloud_hub.training.bench_pump import figures
from simulators.recorded_skab import read_skab

PIECES = {  # of the recordings, by the name that each gets: it, how many readings, and whether labels are turned
    "valve1/1": ("valve1/1", 1000, False),
    "valve1/2": ("valve1/1", 1000, True),
    "valve1/3": ("valve1/3", 1000, False),
    "anomaly-free/anomaly-free": ("anomaly-free/anomaly-free", 500, False),
}
LABEL = -2  # the column


def piece(source: Path, count: int, *, turned: bool) -> str:
    head, *rows = [line.split(";") for line in source.read_text().splitlines()[: count + 1]]
    for row in rows if turned else []:
        row[LABEL] = str(1.0 - float(row[LABEL]))
    return "\n".join(map(";".join, [head, *rows])) + "\n"


@pytest.fixture(scope="module")
def shown(recorded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("recordings")
    for name, (source, count, turned) in PIECES.items():
        path = folder / "skab" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(piece(recorded_data / "skab" / f"{source}.csv", count, turned=turned))
    return {row["figure"]: row for row in figures(True, folder)}


def rate(shown: dict[str, Any], run: int, what: str) -> float:
    return float(shown[f"pump-anomaly, run {run}: {what}"]["value"])


def test_labels_turned_round_change_what_is_right_and_nothing_that_was_said(shown: dict[str, Any]) -> None:
    assert rate(shown, 2, "false-alarm rate") == pytest.approx(1 - rate(shown, 1, "missed-alarm rate"))
    assert rate(shown, 2, "missed-alarm rate") == pytest.approx(1 - rate(shown, 1, "false-alarm rate"))


def test_a_valve_that_closes_is_found(shown: dict[str, Any]) -> None:
    for run in (1, 3):
        assert rate(shown, run, "F1") > 0.8
        assert rate(shown, run, "false-alarm rate") < 0.15


def test_rows_can_be_told_as_json_and_a_bar_on_all_runs_judges_no_fewer(shown: dict[str, Any]) -> None:
    json.dumps(list(shown.values()))
    assert [name for name, row in shown.items() if row.get("bar")] == ["pump-anomaly: features and training"]
    assert not any("always-alarm" in name for name in shown if ", run " in name)


def test_the_testbed_is_measured_by_its_own_beginning(recorded_data: Path) -> None:
    (track,) = read_skab(recorded_data / "skab" / "valve1" / "0.csv").tracks
    assert (track.machine.machine_class, track.machine.feature_set) == ("water-loop", "deviation/1")
