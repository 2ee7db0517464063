"""Good labels are kept, each bad line is named, and nobody learns of the future."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_hub.dataset.cli import data_app
from cloud_hub.dataset.label_lines import Line, Refusal, parse
from cloud_hub.store.database import Database
from tests.stored_machines import BEGIN_US, Stored, fleet
from wire.clock import to_datetime

NOW = datetime(2026, 9, 1, tzinfo=UTC)
GOOD = '{"machine": "pump-1", "kind": "failure", "time": "2026-08-30T12:00:00+02:00", "note": "ball"}'


def test_line_becomes_a_label_with_its_note() -> None:
    (line,) = parse([GOOD], now=NOW)
    assert isinstance(line, Line)
    assert line.label.time == datetime(2026, 8, 30, 10, tzinfo=UTC)
    assert line.label.detail == {"note": "ball"}


def test_time_may_be_microseconds() -> None:
    (line,) = parse(['{"machine": "p", "kind": "maintenance", "time": 1000000}'], now=NOW)
    assert isinstance(line, Line)
    assert line.label.time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1]", "expected a JSON object"),
        ('{"machine": "p", "kind": "failure"}', "missing time"),
        ('{"kind": "failure"}', "missing machine, time"),
        (GOOD.replace("failure", "explosion"), "expected a kind out of failure, maintenance"),
        (GOOD.replace("2026-08-30T12:00:00+02:00", "yesterday"), "Invalid isoformat"),
        (GOOD.replace("+02:00", ""), "with its zone"),
        (GOOD.replace("2026-08-30", "2038-01-19"), "expected a time up to 2026-09-01"),
        ('{"machine": "p", "kind": "failure", "time": 1e400}', "cannot convert|isoformat"),
        ('{"machine": "p", "kind": "failure", "time": 99999999999999999999}', ""),
    ],
)
def test_bad_line_is_refused_and_its_neighbours_are_not(text: str, reason: str) -> None:
    first, bad, last = parse([GOOD, text, "", GOOD], now=NOW)
    assert isinstance(first, Line)
    assert isinstance(last, Line)
    assert isinstance(bad, Refusal)
    assert bad.line == 2
    assert last.number == 4
    assert re.search(reason, bad.reason)


@pytest.fixture
def hub(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub's configuration around a database, as commands find it."""
    file = tmp_path / "hub.toml"
    file.write_text(f"state_dir = {json.dumps(str(tmp_path))}\ndatabase_url = {json.dumps(database)}\n")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    return database


def test_import_keeps_good_lines_and_names_the_others(hub: str, tmp_path: Path) -> None:
    with Database(hub) as database:
        Stored(database).add("pump-1")
    file = tmp_path / "labels.jsonl"
    file.write_text("\n".join([GOOD, "nonsense", GOOD.replace("pump-1", "pump-x"), GOOD]) + "\n")
    result = CliRunner().invoke(data_app, ["import", str(file), "--kind", "labels", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["read"], told["stored"]) == (4, 1)
    assert [item["line"] for item in told["refused"]] == [2, 3]
    assert "no machine named 'pump-x'" in result.stderr


def test_import_twice_stores_once(hub: str, tmp_path: Path) -> None:
    with Database(hub) as database:
        Stored(database).add("pump-1")
    file = tmp_path / "labels.jsonl"
    file.write_text(GOOD)
    for stored in (1, 0):
        result = CliRunner().invoke(data_app, ["import", str(file), "--json"])
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {"read": 1, "stored": stored, "refused": []}


def test_snapshot_list_and_show_tell_of_the_same_dataset(hub: str) -> None:
    with Database(hub) as database:
        fleet(Stored(database), machines=11)
    runner = CliRunner()
    taken = json.loads(runner.invoke(data_app, ["snapshot", "turbofan-rul", "--json"]).stdout)
    assert taken["failures"] == 11
    (listed,) = json.loads(runner.invoke(data_app, ["list", "--json"]).stdout)
    assert listed["id"] == taken["id"]
    assert "manifest" not in listed
    shown = json.loads(runner.invoke(data_app, ["show", taken["id"], "--json"]).stdout)
    assert shown == taken
    assert f"{taken['rows']:,} rows of 12 machines" in runner.invoke(data_app, ["show", taken["id"]]).stdout
    since = (to_datetime(BEGIN_US) + timedelta(days=2)).strftime("%Y-%m-%d")
    later = json.loads(
        runner.invoke(data_app, ["snapshot", "turbofan-rul", "--since", since, "--json"]).stdout
    )
    assert later["rows"] < taken["rows"]
