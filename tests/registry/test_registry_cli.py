"""``andon model``: what it prints is what the registry and the store hold."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from cloud_hub.errors import ConflictError, HubError, NotFoundError, UnreachableError
from cloud_hub.registry import following
from cloud_hub.registry.cli import model_app
from cloud_hub.registry.manifests import draw_up
from cloud_hub.registry.models import Registry
from cloud_hub.store.database import Database
from kernels.interval import Interval
from models import use_case
from tests.stored_machines import BEGIN_US, HOUR_US, Stored
from wire.clock import Clock, to_datetime

BASELINES = {"mean": 100.0, "ages": [0.0, 500.0], "by_age": [200.0, 0.0]}
METRICS = {"rmse": 12.5, "baselines": BASELINES, "held_out": ["pump-1"], "learning": ["pump-2"]}
GATE = {"passed": True, "reason": "RMSE 12.5 h", "checks": [], "evidence": {}}
runner = CliRunner()


@pytest.fixture
def stored(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """A configured hub with one registered release, motor-health/1, and its predictions of two machines."""
    file = tmp_path / "hub.toml"
    file.write_text(f"state_dir = {json.dumps(str(tmp_path))}\ndatabase_url = {json.dumps(database)}\n")
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    with Database(database) as opened:
        store = Stored(opened, machine_class="motor-pump")
        for machine in ("pump-1", "pump-2"):
            store.add(machine)
        store.run("r-1", use_case="motor-health", metrics=METRICS)
        register(store, tmp_path, "r-1")
        for machine, miss in (("pump-1", 4.0), ("pump-2", 40.0)):
            times = [BEGIN_US + hour * HOUR_US for hour in range(100)]
            lives = [100 - hour + miss for hour in range(100)]
            rows = [(life, life - 10, life + 10, 0.5) for life in lives]
            store.predict(machine, times, rows, "motor-health/1")
        yield store


def register(store: Stored, folder: Path, run: str) -> str:
    manifest = draw_up(
        use_case.find("motor-health"),
        names=["a"],
        units=["1"],
        interval=Interval(coverage=0.9, edges=(0.0,), lower=(1.0,), upper=(1.0,)),
        alarms=(),
        highest_anomaly=10.0,
        lineage={"run": run},
    )
    registry = Registry(store.database, folder / "artifacts", Clock.real())
    with store.database.transaction() as connection:
        return registry.register(connection, run=run, onnx=b"network", manifest=manifest, gate=GATE)


def asked(*arguments: str) -> object:
    result = runner.invoke(model_app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_list_and_show_tell_of_the_release(stored: Stored) -> None:
    (listed,) = asked("list")
    assert (listed["release"], listed["rmse"], listed["aliases"]) == ("motor-health/1", 12.5, ["candidate"])
    assert asked("list", "--use-case", "turbofan-rul") == []
    shown = asked("show", "motor-health/1")
    assert shown["predictions"]["predictions"] == 200
    assert shown["source"]["run"] == "r-1"
    text = runner.invoke(model_app, ["show", "motor-health/1"]).stdout
    assert "predictions  200 of 2 machines" in text
    assert "motor-health/1" in runner.invoke(model_app, ["list"]).stdout


def test_export_writes_the_registered_bytes(stored: Stored, tmp_path: Path) -> None:
    asked("export", "motor-health/1", "--out", str(tmp_path / "m.onnx"))
    assert (tmp_path / "m.onnx").read_bytes() == b"network"


def truth(folder: Path) -> Path:
    """Both pumps failed a hundred hours after they began."""
    start, failure = (to_datetime(BEGIN_US + hours * HOUR_US).isoformat() for hours in (0, 100))
    lines = [{"machine": name, "start": start, "failure": failure} for name in ("pump-1", "pump-2")]
    file = folder / "failures.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_score_holds_the_devices_predictions_against_the_truth(stored: Stored, tmp_path: Path) -> None:
    found = asked("score", "motor-health/1", "--truth", str(truth(tmp_path)))
    assert (found["predictions"], found["machines"], found["unit"]) == (200, 2, "h")
    assert found["rmse"] == pytest.approx(((16 + 1600) / 2) ** 0.5)
    assert found["coverage"] == 0.5
    assert found["baseline_rmse"] == found["baselines"]["mean remaining life"] > 20
    assert set(found["baselines"]) == {"mean remaining life", "remaining life by age"}
    assert (
        "NASA score"
        in runner.invoke(model_app, ["score", "motor-health", "--truth", str(truth(tmp_path))]).stdout
    )


def test_score_keeps_to_held_out_machines_when_asked(stored: Stored, tmp_path: Path) -> None:
    found = asked("score", "motor-health/1", "--truth", str(truth(tmp_path)), "--held-out")
    assert (found["machines"], found["rmse"]) == (1, pytest.approx(4.0))


def test_request_without_waiting_names_its_run(stored: Stored) -> None:
    found = asked("train", "motor-health", "--no-wait")
    row = stored.database.row("SELECT state FROM run WHERE id = %(run)s", found)
    assert row == {"state": "queued"}


def test_following_a_run_ends_with_its_release(stored: Stored) -> None:
    row = following.run_to_its_end(stored.database, "r-1", quiet=True)
    assert (row["release"], row["gate"]["passed"]) == ("motor-health/1", True)


def test_following_waits_for_a_run_and_tells_why_it_failed(stored: Stored) -> None:
    stored.run("r-2", use_case="motor-health")
    stored.database.execute("UPDATE run SET state = 'running', stage = 'training' WHERE id = 'r-2'")

    def end() -> None:
        time.sleep(0.6)
        stored.database.execute(
            "UPDATE run SET state = 'failed', error = 'too few failures' WHERE id = 'r-2'"
        )

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(HubError, match="r-2 failed: too few failures"):
        following.run_to_its_end(stored.database, "r-2", quiet=True)
    ending.join()


def test_following_an_unknown_run_ends_at_once(stored: Stored) -> None:
    with pytest.raises(NotFoundError, match="no run named 'r-9'"):
        following.run_to_its_end(stored.database, "r-9", quiet=True)


def test_waiting_for_a_signature_ends_with_what_went_wrong(stored: Stored) -> None:
    waiting = {"database": stored.database, "release": "motor-health/1", "patience_s": 0.0}
    with pytest.raises(UnreachableError, match="does `andon hub work` run"):
        following.until_released(**waiting, failure=lambda: "")
    with pytest.raises(ConflictError, match="could not be published: no keys"):
        following.until_released(**waiting, failure=lambda: "no keys")
    stored.database.execute(
        "UPDATE model SET state = 'released', released = %(now)s, gate = %(gate)s",
        {"now": to_datetime(BEGIN_US) + timedelta(days=1), "gate": Jsonb(GATE)},
    )
    assert following.until_released(**waiting, failure=lambda: "")["state"] == "released"
