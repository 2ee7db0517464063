"""A release whose features are derived under conditions is watched by what its network takes."""

import dataclasses
import json

import pytest
import typer
from stored_machines import Stored, fleet
from typer.testing import CliRunner

from cloud_hub.flows import candidate, triggers, watching
from cloud_hub.flows.champion import set_champion
from cloud_hub.flows.retrain import request
from cloud_hub.monitor.cli import drift
from cloud_hub.registry.models import Registry
from models.declared.retraining import Drift, Retrain
from models.use_case import find

USE_CASE = "turbofan-rul"


@pytest.fixture
def champion(hub):
    """The champion of a hub with turbofan engines."""
    fleet(Stored(hub.database), machines=12)
    candidate.execute(hub, request(hub, USE_CASE, actor="ada"))
    with hub.database.transaction() as connection:
        set_champion(connection, USE_CASE, f"{USE_CASE}/1")
    return Registry(hub.database, hub.artifacts, hub.clock).get(f"{USE_CASE}/1")


def test_a_release_is_held_against_its_dataset_and_the_figures_can_be_printed(hub, champion, tmp_path):
    use_case = find(USE_CASE)
    whole = watching.look(hub, use_case, champion, Drift(days=60))
    assert [each.about for each in whole.comparisons] == ["features", "predicted health"]
    assert (whole.machines, whole.mix, whole.unknown) == (
        13,
        (pytest.approx(1, abs=0.02),),
        pytest.approx(0, abs=0.02),
    )
    assert whole.reasons(Drift(days=60)) == ()
    assert whole.comparisons[0].size < 0.1  # they are the very rows of the dataset
    sketch = hub.artifacts / "sketches" / f"{champion.release}.npz"
    kept = sketch.read_bytes()
    sketch.write_bytes(kept[:100])
    assert watching.look(hub, use_case, champion, Drift(days=60)) == whole
    assert sketch.read_bytes() == kept
    quiet = watching.look(hub, use_case, champion, Drift(days=2))
    assert quiet.comparisons[0].why_not == "expected recent rows of at least 3 machines, got 0"
    rule = Retrain(drift=Drift(days=60), cooldown_days=0)
    looked = triggers.look(hub, use_case.model_copy(update={"retrain": rule}))
    assert looked.figures == dataclasses.asdict(whole)
    config = tmp_path / "hub.toml"
    config.write_text(f"database_url = {json.dumps(hub.config.database_url)}\n")
    app = typer.Typer()
    app.command()(drift)
    told = CliRunner().invoke(app, [USE_CASE, "--json", "--config", str(config)])
    assert json.loads(told.stdout)["release"] == champion.release
    shown = CliRunner().invoke(app, [USE_CASE, "--config", str(config)])
    assert shown.stdout.startswith(f"drift is not judged: {USE_CASE} declares no [retrain.drift]\n")


@pytest.mark.parametrize(
    ("use_case", "lacks"),
    [
        ("motor-health", "has no champion yet:"),
        (USE_CASE, "declares no [retrain.drift] and has no champion yet:"),
    ],
)
def test_what_is_lacking_to_judge_drift_is_named(hub, tmp_path, use_case, lacks):
    config = tmp_path / "hub.toml"
    config.write_text(f"database_url = {json.dumps(hub.config.database_url)}\n")
    app = typer.Typer()
    app.command()(drift)
    words = [use_case, "--config", str(config)]
    shown = CliRunner().invoke(app, words).stdout.splitlines()[0]
    assert shown.startswith(f"drift is not judged: {use_case} {lacks}")
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["drift"]
    assert told["why_not"].startswith(f"{use_case} {lacks}")
