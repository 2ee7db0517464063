"""``andon model new``: a use case begins with the signals that the machines themselves tell."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cloud_hub.errors import ConflictError
from cloud_hub.registry.new_cli import new
from cloud_hub.store.database import Database
from models import use_case
from tests.stored_machines import Stored

SCALARS = (("pressure", "bar"), ("temperature", "Cel"))
app = typer.Typer()
app.command()(new)


@pytest.fixture
def folder(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub that knows three presses, one of which speaks of pressure in another unit."""
    file = tmp_path / "hub.toml"
    file.write_text(f"state_dir = {json.dumps(str(tmp_path))}\ndatabase_url = {json.dumps(database)}\n")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    with Database(database) as opened:
        store = Stored(opened, machine_class="press", scalars=SCALARS)
        store.add("press-1", feature_set="trend/1")
        store.add("press-2", feature_set="trend/1")
        store.add("press-3", feature_set="trend/1", units={"pressure": "[psi]"})
    return tmp_path / "use_cases"


def run(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_new_use_case_has_the_signals_of_most_machines(folder: Path) -> None:
    told = run("press-life", "--machine-class", "press", "--fault", "seal", "--fault", "valve")
    assert told == {
        "use_case": "press-life",
        "path": str(folder / "press-life.toml"),
        "signals": 2,
        "left_out": ["press-3"],
    }
    found = use_case.find("press-life", folder)
    assert {(signal.name, signal.unit) for signal in found.signals} == {
        ("pressure", "bar"),
        ("temperature", "Cel"),
    }
    assert (found.feature_set, found.outputs[-2:]) == ("trend/1", ("fault_seal", "fault_valve"))
    with pytest.raises(ConflictError, match="expected a new name, there is a use case press-life already"):
        run("press-life", "--machine-class", "press")


def test_a_class_that_nobody_was_born_with_is_refused(folder: Path) -> None:
    with pytest.raises(ConflictError, match=r"that the store knows \(press\), got 'lathe'"):
        run("lathe-life", "--machine-class", "lathe")
    assert not folder.exists()
