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

from cloud_hub.errors import ConflictError, DatasetError, HubError, NotFoundError, UnreachableError
from cloud_hub.governance import audit
from cloud_hub.registry import following, printing
from cloud_hub.registry.cli import model_app
from cloud_hub.registry.manifests import draw_up
from cloud_hub.registry.models import Registry
from cloud_hub.store.database import Database
from kernels.interval import Interval
from models import use_case
from models.errors import UseCaseError
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


def register(store: Stored, folder: Path, run: str, gate: dict = GATE) -> str:
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
        return registry.register(connection, run=run, onnx=run.encode(), manifest=manifest, gate=gate)


def asked(*arguments: str) -> object:
    result = runner.invoke(model_app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_what_became_of_each_precision_is_shown(stored: Stored) -> None:
    assert asked("show", "motor-health/1")["precisions"] == {}
    for told in ("left out: an older try", "yes: 3% of what may differ"):
        with stored.database.transaction() as connection:
            audit.append(
                connection,
                Clock.real(),
                actor="job:publish",
                action="release.weigh",
                subject="motor-health/1",
                detail={"precisions": {"fp16": told, "int8": "left out: no number"}},
            )
    assert asked("show", "motor-health/1")["precisions"] == {"fp16": told, "int8": "left out: no number"}
    shown = runner.invoke(model_app, ["show", "motor-health/1"]).stdout
    assert "  fp16         yes: 3% of what may differ\n  int8         left out: no number\n" in shown


def test_list_and_show_tell_of_the_release(stored: Stored) -> None:
    (listed,) = asked("list")
    assert (listed["release"], listed["aliases"]) == ("motor-health/1", ["candidate"])
    assert listed["figure"] == {"name": "RMSE", "value": 12.5, "unit": "1"}
    assert asked("list", "--use-case", "turbofan-rul") == []
    told = runner.invoke(model_app, ["list", "--use-case", "turbofan-rul"]).stdout
    assert told == "no models yet: `andon model train turbofan-rul` makes one\n"
    shown = asked("show", "motor-health/1")
    assert shown["predictions"]["predictions"] == 200
    assert shown["source"]["run"] == "r-1"
    text = runner.invoke(model_app, ["show", "motor-health/1"]).stdout
    assert "predictions  200 of 2 machines" in text
    assert "motor-health/1" in runner.invoke(model_app, ["list"]).stdout


def test_runs_tell_what_came_of_them_newest_first(stored: Stored) -> None:
    rows = (("r-2", "running", "training", 0.4, ""), ("r-3", "failed", "", 0.0, "too few machines"))
    for number, (run, state, stage, progress, error) in enumerate(rows, 1):
        stored.run(run, use_case="motor-health")
        stored.database.execute(
            """UPDATE run SET state = %(state)s, stage = %(stage)s, progress = %(progress)s, error = %(error)s,
                      created = created + %(days)s WHERE id = %(run)s""",
            {"state": state, "stage": stage, "progress": progress, "error": error, "run": run}
            | {"days": timedelta(days=number)},
        )
    stored.run("t-1", use_case="turbofan-rul")
    found = asked("runs", "motor-health")
    assert [(row["id"], row["state"], row["release"]) for row in found] == [
        ("r-3", "failed", None),
        ("r-2", "running", None),
        ("r-1", "done", "motor-health/1"),
    ]
    assert len(asked("runs")) == 4
    text = runner.invoke(model_app, ["runs", "motor-health"], env={"COLUMNS": "200"}).stdout
    for told in ("training, 40% of it", "too few machines", "motor-health/1, passed the gate"):
        assert told in text


def test_runs_of_nothing_say_what_makes_one_and_a_use_case_unknown_is_named(stored: Stored) -> None:
    assert asked("runs", "bearing-fault") == []
    told = runner.invoke(model_app, ["runs", "bearing-fault"]).stdout
    assert told == "no runs yet: `andon model train bearing-fault` makes one\n"
    with pytest.raises(UseCaseError, match="motr-health"):
        asked("runs", "motr-health")


def test_the_list_tells_a_release_that_people_let_out_against_the_gate() -> None:
    row = {"release": "m/2", "state": "released", "passed": False, "aliases": [], "why": "", "figure": None}
    told = [
        printing.cells(row | more | {"created": to_datetime(BEGIN_US)})[1]
        for more in ({}, {"passed": True}, {"state": "refused"})
    ]
    assert told == ["released, against the gate", "released", "refused"]
    long = {"figure": {"name": "RMSE", "value": 12_345.6, "unit": "h"}, "created": to_datetime(BEGIN_US)}
    assert printing.cells(row | long)[3] == "RMSE 12,346 h"


def test_what_a_person_refused_is_told_everywhere_with_who_and_why(stored: Stored) -> None:
    assert asked("show", "motor-health/1")["refusal"] is None
    stored.database.execute("UPDATE model SET state = 'candidate'")
    found = asked("refuse", "motor-health/1", "--reason", "a broken sensor")
    assert (found["state"], found["reason"], found["new"]) == ("refused", "a broken sensor", True)
    assert asked("refuse", "motor-health/1", "--reason", "again")["new"] is False
    (listed,) = asked("list")
    assert (listed["state"], listed["refused_by"]) == ("refused", found["refused_by"])
    assert listed["refusal"] == "a broken sensor"
    assert (
        printing.cells(listed | {"created": to_datetime(BEGIN_US)})[1] == f"refused by {found['refused_by']}"
    )
    shown = asked("show", "motor-health/1")
    assert (shown["refusal"]["reason"], shown["missing"]) == ("a broken sensor", "")
    text = runner.invoke(model_app, ["show", "motor-health/1"]).stdout
    assert f"  refused      for good by {found['refused_by']} on " in text
    told = runner.invoke(model_app, ["refuse", "motor-health/1", "--reason", "again"]).stdout
    assert "was refused already" in told
    assert told.rstrip().endswith(": a broken sensor")


def test_export_writes_the_registered_bytes(stored: Stored, tmp_path: Path) -> None:
    asked("export", "motor-health/1", "--out", str(tmp_path / "m.onnx"))
    assert (tmp_path / "m.onnx").read_bytes() == b"r-1"
    for command in ("export", "card"):
        with pytest.raises(NotFoundError, match=r"no folder named '.*/nowhere'"):
            asked(command, "motor-health/1", "--out", str(tmp_path / "nowhere" / "m"))


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


def test_score_reads_each_number_by_the_manifest_of_its_release(stored: Stored, tmp_path: Path) -> None:
    """A release with fault classes says more numbers, one without an interval fewer; of one unknown none is read."""
    manifest = stored.database.row("SELECT manifest FROM model")["manifest"]
    manifest["interval"] = None
    stored.database.execute("UPDATE model SET manifest = %(manifest)s", {"manifest": Jsonb(manifest)})
    stored.predict("pump-1", [BEGIN_US + 1], [(7, 7, 7, 7)], "motor-health/9")
    found = asked("score", "motor-health", "--truth", str(truth(tmp_path)))
    assert (found["predictions"], found["coverage"]) == (200, 0.0)
    assert (found["releases"], found["unknown_releases"]) == (["motor-health/1"], ["motor-health/9"])


def test_score_of_a_use_case_that_foretells_no_life_is_refused(stored: Stored, tmp_path: Path) -> None:
    stored.run("b-1", use_case="bearing-fault", metrics=METRICS)
    stored.database.execute(
        """INSERT INTO model SELECT 'bearing-fault', 1, 'bearing-fault/1', 'b-1', state, onnx_path, onnx_sha256,
                  manifest, gate, NULL, NULL, NULL, created FROM model"""
    )
    with pytest.raises(DatasetError, match="foretells no remaining life"):
        asked("score", "bearing-fault/1", "--truth", str(truth(tmp_path)))


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


def test_list_says_why_each_was_trained(stored: Stored, tmp_path: Path) -> None:
    stored.run("r-2", use_case="motor-health")
    stored.database.execute("UPDATE run SET settings = '{\"why\": \"3 new failures\"}' WHERE id = 'r-2'")
    stored.run("r-3", use_case="motor-health")
    with stored.database.transaction() as connection:
        audit.append(connection, Clock.real(), actor="ada", action="retrain.request", subject="r-3")
    for run in ("r-2", "r-3"):
        register(stored, tmp_path, run)
    assert [row["why"] for row in asked("list")] == ["asked by ada", "3 new failures", ""]
    assert asked("show", "motor-health/3")["source"]["author"] == "ada"
    assert asked("show", "motor-health/3")["missing"] == "1 more person has to approve it (0 of 1)"
    assert "trained      3 new failures" in runner.invoke(model_app, ["show", "motor-health/2"]).stdout


def judged(errors: dict[str, float], **more: object) -> dict:
    evidence = {
        "figure": {"name": "RMSE", "value": 1.0, "unit": "h"},
        "squared": True,
        "least": 0.0,
        "machines": list(errors),
        "losses": [error**2 for error in errors.values()],
        "slices": [],
    }
    return GATE | {"evidence": evidence | more}


def test_two_releases_are_compared_on_machines_that_neither_learnt_from(
    stored: Stored, tmp_path: Path
) -> None:
    lyon = {"name": "site lyon", "losses": {"pump-1": 4.0}}
    cards = (
        judged({"pump-1": 4, "pump-2": 3, "pump-9": 99}, coverage=0.9, slices=[lyon], alarms={"caught": 2}),
        judged({"pump-1": 8, "pump-2": 6}, coverage=0.8, slices=[lyon | {"losses": {"pump-1": 16.0}}]),
    )
    for run, gate in zip(("r-2", "r-3"), cards, strict=True):
        stored.run(run, use_case="motor-health")
        register(stored, tmp_path, run, gate)
    found = asked("compare", "motor-health/2", "motor-health/3")
    assert found["values"] == [pytest.approx(12.5**0.5), pytest.approx(50**0.5)]
    assert (found["machines"], found["machines_better"], found["chance_better"]) == (2, 2, 1.0)
    assert found["ratio"] == [pytest.approx(0.5), pytest.approx(0.5)]
    assert found["by_machine"] == {"pump-1": [4.0, 8.0], "pump-2": [3.0, 6.0]}
    assert found["slices"] == {"site lyon": [2.0, 4.0, 1]}
    assert found["beside"] == {"coverage": [0.9, 0.8]}
    assert found["alarms"] == {"caught": [2, None]}
    text = runner.invoke(model_app, ["compare", "motor-health/2", "motor-health/3"]).stdout
    assert "RMSE [h] on 2 machines" in text
    assert "motor-health/2 is better than motor-health/3 on 2 of 2 machines" in text


def test_releases_without_a_common_machine_or_figure_are_not_compared(stored: Stored, tmp_path: Path) -> None:
    for run, gate in (("r-2", judged({"pump-1": 4})), ("r-3", judged({"pump-2": 4}))):
        stored.run(run, use_case="motor-health")
        register(stored, tmp_path, run, gate)
    for other, why in (("motor-health/3", "got none"), ("motor-health/1", "before losses were kept")):
        with pytest.raises(ConflictError, match=why):
            asked("compare", "motor-health/2", other)


def test_what_is_removed_is_shown_as_gone(stored: Stored, tmp_path: Path) -> None:
    for number in range(2, 5):
        stored.run(f"r-{number}", use_case="motor-health")
        register(stored, tmp_path, f"r-{number}")
    stored.database.execute("DELETE FROM alias")
    assert asked("gc", "--keep", "2", "--dry-run")["releases"] == ["motor-health/2", "motor-health/1"]
    found = asked("gc", "--keep", "2")
    assert len(found["files"]) == 2
    assert [row["state"] for row in asked("list")] == ["candidate", "candidate", "removed", "removed"]
    assert "files removed on" in runner.invoke(model_app, ["show", "motor-health/1"]).stdout
    with pytest.raises(ConflictError, match=r"were removed on .* to make room"):
        asked("export", "motor-health/1", "--out", str(tmp_path / "m.onnx"))
