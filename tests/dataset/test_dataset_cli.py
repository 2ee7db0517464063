"""``andon data``: labels come in line by line, datasets are listed, shown and compared."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud_hub.dataset.cli import data_app
from cloud_hub.store.database import Database
from tests.stored_machines import BEGIN_US, HOUR_US, Stored, fleet, life_of
from wire.clock import to_datetime

NOW = datetime.now(UTC)


@pytest.fixture
def hub(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database, and a hub's configuration around it, as commands find it."""
    file = tmp_path / "hub.toml"
    file.write_text(f"state_dir = {json.dumps(str(tmp_path))}\ndatabase_url = {json.dumps(database)}\n")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    with Database(database) as opened:
        yield opened


def run(*arguments: str) -> Any:
    """What a command prints as JSON."""
    return json.loads(CliRunner().invoke(data_app, [*arguments, "--json"]).stdout)


def said(*arguments: str) -> str:
    """What a command prints for a person."""
    return CliRunner().invoke(data_app, [*arguments]).stdout


def line(machine: str = "pump-1", *, hours: float, kind: str = "failure", **detail: Any) -> str:
    time = (NOW - timedelta(hours=hours)).isoformat()
    return json.dumps({"machine": machine, "kind": kind, "time": time, **detail})


def imported(folder: Path, *lines: str) -> tuple[int, dict[int, str]]:
    """How many labels were new, and why which lines were refused."""
    file = folder / "labels.jsonl"
    file.write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(data_app, ["import", str(file), "--kind", "labels", "--json"])
    told = json.loads(result.stdout)
    refused = {item["line"]: item["reason"] for item in told["refused"]}
    assert result.exit_code == (1 if refused else 0)
    for number, reason in refused.items():
        assert f"labels.jsonl:{number}: {reason}" in result.stderr
    return told["stored"], refused


def test_lists_of_nothing_say_so_and_what_makes_something(hub: Database) -> None:
    assert said("list") == "no datasets yet: `andon data snapshot USE_CASE` makes one\n"
    assert said("list", "--use-case", "motor-health").endswith(
        "`andon data snapshot motor-health` makes one\n"
    )
    assert said("alarms") == "no alarms yet: releases on devices raise them\n"
    assert said("alarms", "--open") == "no such alarms\n"
    assert said("quarantine", "list") == "nothing waits in quarantine\n"
    for words in (["list"], ["alarms"], ["quarantine", "list"]):
        assert run(*words) == []


def test_import_keeps_good_lines_and_names_the_others(hub: Database, tmp_path: Path) -> None:
    Stored(hub, machine_class="motor-pump").add("pump-1")
    opened = (NOW - timedelta(hours=40)).isoformat()
    stored, refused = imported(
        tmp_path,
        line(hours=5),
        "nonsense",
        line("pump-x", hours=5),
        line(hours=5),
        line(hours=9, kind="verdict", verdict="right", alarm=opened),
        line(hours=9, kind="verdict", verdict="right"),
        line(hours=5, fault="rust"),
        line(hours=3, kind="maintenance"),
    )
    assert stored == 2
    assert sorted(refused) == [2, 3, 5, 6, 7]
    assert "no machine named 'pump-x'" in refused[3]
    assert "no alarm named 'pump-1 at" in refused[5]
    assert "expected the span it judges" in refused[6]
    assert "rust" in refused[7]


def test_a_half_written_use_case_keeps_no_label_away(hub: Database, tmp_path: Path) -> None:
    Stored(hub, machine_class="motor-pump").add("pump-1")
    own = tmp_path / "use_cases"
    own.mkdir()
    (own / "half.toml").write_text("title =")
    assert imported(tmp_path, line(hours=5)) == (1, {})
    told = CliRunner().invoke(data_app, ["import", str(tmp_path / "labels.jsonl")])
    assert (told.exit_code, told.stdout) == (0, "0 new labels, 1 known before\n")
    assert "warning: use case half: not TOML" in told.stderr


def test_a_line_that_the_store_could_not_keep_or_read_back_never_takes_its_neighbours_along(
    hub: Database, tmp_path: Path
) -> None:
    Stored(hub, machine_class="motor-pump").add("pump-1")
    stored, refused = imported(
        tmp_path,
        line(hours=5).replace("{", '{"x": NaN, ', 1),
        line(hours=6, x="\0"),
        line(hours=7, x="\ud800"),
        line("pump-\0", hours=8),
        line("pump-\udfff", hours=9),
        json.dumps({"machine": "pump-1", "kind": "failure", "time": "0001-01-01T00:00:00+14:00"}),
        json.dumps({"machine": "pump-1", "kind": "failure", "time": "0001-01-01T12:00:00Z"}),
        line(hours=10, x="a line\u2028goes on"),
    )
    assert (stored, sorted(refused)) == (1, [1, 2, 3, 4, 5, 6, 7])
    assert [row["time"] for row in hub.rows("SELECT time FROM label")] == [NOW - timedelta(hours=10)]


def test_a_file_that_is_half_text_or_none_is_told_in_a_sentence(hub: Database, tmp_path: Path) -> None:
    Stored(hub, machine_class="motor-pump").add("pump-1")
    file = tmp_path / "some.jsonl"
    file.write_bytes(b'{"machine": "\xff"}\n' + line(hours=5).encode())
    result = CliRunner().invoke(data_app, ["import", str(file), "--json"])
    assert json.loads(result.stdout)["stored"] == 1
    for missing in (tmp_path, tmp_path / "nowhere"):
        error = CliRunner().invoke(data_app, ["import", str(missing)]).exception
        assert str(error) == f"no readable file named '{missing}'"


def test_import_twice_stores_once_and_a_label_never_changes_its_meaning(
    hub: Database, tmp_path: Path
) -> None:
    Stored(hub).add("pump-1")
    told = line(hours=5, fault="ball", note="by ear")
    assert imported(tmp_path, told) == (1, {})
    assert imported(tmp_path, told) == (0, {})
    assert imported(tmp_path, told.replace("by ear", "by eye")) == (0, {})
    stored, refused = imported(tmp_path, told.replace("ball", "cage"))
    assert stored == 0
    assert "is kept with fault 'ball', got 'cage': labels do not change" in refused[1]


def test_a_verdict_on_an_alarm_takes_over_its_span(hub: Database, tmp_path: Path) -> None:
    stored = Stored(hub)
    stored.add("pump-1")
    opened, closed = NOW - timedelta(hours=40), NOW - timedelta(hours=30)
    hub.execute(
        "INSERT INTO alarm (machine, use_case, release, opened, closed, severity, message) "
        "VALUES (%(machine)s, 'x', 'x/1', %(opened)s, %(closed)s, 1, '')",
        {"machine": stored.machines["pump-1"], "opened": opened, "closed": closed},
    )
    told = line(hours=9, kind="verdict", verdict="wrong", alarm=opened.isoformat())
    assert imported(tmp_path, told) == (1, {})
    assert imported(tmp_path, told) == (0, {})
    (kept,) = hub.rows("SELECT detail FROM label")
    assert datetime.fromisoformat(kept["detail"]["since"]) == opened
    assert datetime.fromisoformat(kept["detail"]["until"]) == closed


def test_snapshots_are_listed_shown_and_compared(hub: Database) -> None:
    stored = Stored(hub)
    fleet(stored, machines=11, shortest=20)
    taken = run("snapshot", "turbofan-rul")
    assert taken["failures"] == 11
    assert taken["manifest"]["code"]
    (listed,) = run("list")
    assert listed["id"] == taken["id"]
    assert "manifest" not in listed
    assert run("show", taken["id"]) == taken | {"made_of_it": []}
    said = CliRunner().invoke(data_app, ["show", taken["id"]]).stdout
    assert f"{taken['rows']:,} rows of 12 machines" in said
    since = (to_datetime(BEGIN_US) + timedelta(days=1)).strftime("%Y-%m-%d")
    stored.rows("engine-11", [BEGIN_US + 300 * HOUR_US], life_of(stored, 1, 30)[-1:])
    stored.label("engine-11", BEGIN_US + 300 * HOUR_US)
    later = run("snapshot", "turbofan-rul", "--since", since)
    assert later["rows"] < taken["rows"]
    found = run("diff", taken["id"], later["id"])
    assert found["rows"]["engine-11"]["added"] == 1
    assert found["rows"]["engine-0"]["removed"] > 0
    assert found["labels"]["engine-11"] > 0
    assert found["made_by"] == {}
    text = CliRunner().invoke(data_app, ["diff", taken["id"], later["id"]]).stdout
    assert "engine-11: 1 rows more" in text
