"""Acts by token: the same calls as the pages', in the name of the token's person, and each of them once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cloud_hub.hub import Hub
from tests.console.console_programs import Program

Programs = Callable[..., Program]


def newest(hub: Hub) -> dict[str, Any]:
    row = hub.database.row("SELECT actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT 1")
    assert row is not None
    return row


@pytest.fixture
def ada(program: Programs) -> Program:
    return program("ada", "admin")


def test_a_verdict_is_kept_once_and_another_one_takes_its_place(ada: Program, hub: Hub) -> None:
    (alarm,) = ada.get("/alarms", which="open").json["items"]
    path = f"/machines/{alarm['machine']}/alarms/{alarm['id']}/verdict"
    assert ada.post(path, verdict="right", note="bearing").json == {"changed": True}
    assert newest(hub)["actor"] == "ada"
    entries = ada.get("/audit").json["total"]
    assert ada.post(path, verdict="right", note="bearing").json == {"changed": False}
    assert ada.get("/audit").json["total"] == entries
    assert ada.post(path, verdict="wrong").json == {"changed": True}
    verdicts = [
        each for each in ada.get("/machines/pump-1/labels").json["items"] if each["kind"] == "verdict"
    ]
    assert [each["detail"]["verdict"] for each in verdicts] == ["wrong", "right"]


def test_a_failure_is_logged_once(ada: Program, hub: Hub) -> None:
    time = (hub.clock.now() - timedelta(hours=3)).replace(microsecond=0).isoformat()
    answer = ada.post("/machines/pump-2/labels", kind="failure", time=time, note="seal")
    assert answer.status_code == 201
    again = ada.post("/machines/pump-2/labels", kind="failure", time=time, note="seal")
    assert again.status_code == 409
    assert "logged already" in again.json["error"]
    soon = (hub.clock.now() + timedelta(hours=3)).isoformat()
    assert ada.post("/machines/pump-2/labels", kind="failure", time=soon).status_code == 409


def test_a_device_comes_once_and_goes_once(ada: Program, hub: Hub) -> None:
    answer = ada.post("/devices", name="cell-9", site="lyon", tags=["hall-2"], hours=1)
    assert answer.status_code == 201
    told = answer.json
    assert told["token"].startswith("cell-9.")
    assert "token" not in str(newest(hub)["detail"])
    again = ada.post("/devices", name="cell-9", site="lyon")
    assert again.status_code == 409
    assert "token" not in again.json
    assert ada.get("/devices/cell-9").json["tags"] == ["hall-2"]
    renewed = ada.post("/devices/cell-9/token", hours=1)
    assert renewed.status_code == 201
    assert renewed.json["token"] != told["token"]
    assert ada.post("/devices/cell-9/retire", reason="   ").status_code == 422
    assert ada.post("/devices/cell-9/retire", reason="sold").status_code == 200
    assert newest(hub)["detail"] == {"reason": "sold"}
    assert ada.post("/devices/cell-9/retire", reason="sold").status_code == 409
    assert ada.post("/devices/cell-9/token").status_code == 409
    assert (
        ada.post("/devices", name="cell-10", site="lyon", profile="no-such").json["fields"][0]["field"]
        == "profile"
    )


def test_what_was_previewed_is_what_starts_and_once(ada: Program, hub: Hub, rollout: str) -> None:
    hub.database.execute("UPDATE rollout SET state = 'done'")
    plan = {"release": "motor-health/2", "waves": ["1", "100%"], "soak_hours": 2, "approve_before": [2]}
    ahead = ada.post("/rollout-previews", **plan).json
    assert [wave["size"] for wave in ahead["waves"]] == [1, ahead["devices"] - 1]
    assert [wave["awaits_approval"] for wave in ahead["waves"]] == [False, True]
    assert ada.post("/rollouts", **plan, seal=f"{ahead['seal']}x").status_code == 409
    started = ada.post("/rollouts", **plan, seal=ahead["seal"])
    assert (started.status_code, started.json["rollout"]) == (201, ahead["rollout"])
    again = ada.post("/rollouts", **plan, seal=ahead["seal"])
    assert again.status_code == 409
    assert "already" in again.json["error"]
    assert ada.post("/rollouts", **plan).status_code == 409
    detail = ada.client.get(started.json["url"], headers=ada.headers).json
    assert detail["rollout"]["created_by"] == "ada"
    assert detail["rollout"]["plan"]["soak_hours"] == 2
    hub.database.execute("DELETE FROM rollout_device WHERE rollout = %(id)s", {"id": ahead["rollout"]})
    hub.database.execute("DELETE FROM rollout WHERE id = %(id)s", {"id": ahead["rollout"]})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"release": "motor-health/2", "waves": ["50%", "20%"]}, "waves"),
        ({"release": "motor-health/2", "tolerated": 0.5, "succeed": 0.9}, "succeed"),
        ({"release": "motor-health/2", "windows": ["sometimes"]}, "windows"),
        ({"release": "motor-health/2", "select": {"tags": ["no-such"]}}, "select.tags"),
        ({"release": "motor-health/2", "approve_before": [9]}, "approve_before"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused_by_its_field(
    ada: Program, hub: Hub, wrong: dict[str, Any], field: str
) -> None:
    for path in ("/rollout-previews", "/rollouts"):
        answer = ada.post(path, **wrong)
        assert answer.status_code == 422
        assert field in answer.json["error"]


def test_acts_on_a_rollout_follow_its_states_and_repeat_nothing(ada: Program, hub: Hub, rollout: str) -> None:
    for act, state in (("pause", "paused"), ("resume", "running"), ("abort", "aborted"), ("undo", "undone")):
        answer = ada.post(f"/rollouts/{rollout}/{act}", reason="drill")
        assert (answer.status_code, answer.json["state"]) == (200, state)
        assert newest(hub)["action"] == f"rollout.{act}"
        again = ada.post(f"/rollouts/{rollout}/{act}", reason="drill")
        assert again.status_code == 409
        assert newest(hub)["action"] == f"rollout.{act}"
    assert ada.post(f"/rollouts/{rollout}/approve").status_code == 409
    assert ada.post(f"/rollouts/{rollout}/pause").status_code == 422, "a reason is asked for"


def test_an_approval_says_of_which_wave_and_opens_no_other(ada: Program, hub: Hub, rollout: str) -> None:
    hub.database.execute(
        "UPDATE rollout SET state = 'awaiting', wave = 2, approvals = '{2, 3}', approved = 2"
    )
    late = ada.post(f"/rollouts/{rollout}/approve", wave=2)
    assert late.status_code == 409
    assert "awaits approval of wave 3, got one of wave 2" in late.json["error"]
    assert ada.post(f"/rollouts/{rollout}/approve", wave=3).json["state"] == "running"


def test_a_moment_that_utc_cannot_name_is_refused_and_spoils_no_page(ada: Program, hub: Hub) -> None:
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        for path, body in (
            ("/dataset-requests", {"use_case": "motor-health", "since": moment}),
            ("/machines/pump-1/labels", {"kind": "failure", "time": moment}),
        ):
            answer = ada.post(path, **body)
            assert answer.status_code == 422, answer.text
            assert "years 1 to 9999" in answer.json["error"]
    assert ada.get("/dataset-requests").status_code == 200


def test_a_release_is_refused_once_and_for_good(ada: Program, hub: Hub) -> None:
    path = "/releases/motor-health/3/refuse"
    assert ada.post(path, reason=" ").status_code == 422
    first = ada.post(path, reason="trained on a faulty sensor").json
    assert (first["person"], first["changed"]) == ("ada", True)
    assert ada.post(path, reason="again").json == first | {"changed": False}
    assert ada.post("/releases/motor-health/3/approve", override="all the same").status_code == 409
    told = ada.get("/releases/motor-health/3").json
    assert told["refusal"]["reason"] == "trained on a faulty sensor"
    assert ada.post("/releases/motor-health/2/refuse", reason="late").status_code == 409, "it is released"
    hub.database.execute("DELETE FROM refusal")


def test_a_message_is_tried_again_once_until_ingest_comes_to_it(ada: Program, hub: Hub) -> None:
    (waiting,) = ada.get("/quarantine").json["items"]
    path = f"/quarantine/{waiting['id']}/replay"
    assert ada.post(path).json == {"waiting": 1, "changed": 1}
    assert ada.post(path).json == {"waiting": 1, "changed": 0}
    assert newest(hub)["action"] == "quarantine.replay"
    assert ada.get("/quarantine", state="asked").json["total"] == 1
    hub.database.execute("UPDATE quarantine SET replay = NULL")


def test_a_training_is_asked_for_once_and_cancelled_once(ada: Program, hub: Hub) -> None:
    assert ada.post("/use-cases/no-such/train").status_code == 404
    answer = ada.post("/use-cases/turbofan-rul/train")
    assert answer.status_code == 202
    run = answer.json["run"]
    assert ada.post("/use-cases/turbofan-rul/train").status_code == 409
    assert ada.get("/runs", use_case="turbofan-rul").json["items"][0]["state"] == "queued"
    assert ada.post(f"/runs/{run}/again").status_code == 409, "it has not ended"
    assert ada.post(f"/runs/{run}/cancel").json == {"run": run, "state": "cancelled"}
    assert ada.post(f"/runs/{run}/cancel").status_code == 409
    again = ada.post(f"/runs/{run}/again").json["run"]
    assert again != run
    assert ada.post(f"/runs/{run}/again").status_code == 409
    assert ada.post(f"/runs/{again}/cancel").status_code == 200


def test_a_training_with_a_mark_is_asked_for_once_by_it(ada: Program, hub: Hub) -> None:
    mark = "0f" * 16
    first = ada.post("/use-cases/turbofan-rul/train", mark=mark).json
    assert first["changed"] is True
    assert ada.post("/use-cases/turbofan-rul/train", mark=mark).json == first | {"changed": False}
    assert ada.post("/use-cases/turbofan-rul/train", mark="x").status_code == 422
    assert ada.post(f"/runs/{first['run']}/cancel").status_code == 200


def test_only_a_publishing_that_failed_is_tried_again(ada: Program, hub: Hub) -> None:
    answer = ada.post("/releases/motor-health/2/publish-again")
    assert answer.status_code == 409
    assert "it is released" in answer.json["error"]


def test_a_trace_tells_its_story_in_order(ada: Program, hub: Hub, rollout: str) -> None:
    told = ada.get("/traces/trace-2").json
    times = [step["time"] for step in told["steps"]]
    assert times == sorted(times)
    decided = [step["decision"]["words"] for step in told["steps"] if step["decision"]]
    assert f"mira started {rollout}" in decided
    assert ada.get("/traces/no-such").status_code == 404


def test_pages_follow_each_other_to_the_end(ada: Program, hub: Hub) -> None:
    found, path = [], "/api/v1/machines?size=2&class=motor-pump"
    while path:
        page = ada.client.get(path, headers=ada.headers).json
        found += [each["name"] for each in page["items"]]
        path = page["next"]
    assert page["total"] == len(found) == len(set(found)) == 5
    assert found[0] == "pump-1", "an alarm is open there"
    behind = ada.get("/machines", page=9, size=2).json
    assert (behind["items"], behind["next"], behind["total"]) == ([], None, 5)
    entries = ada.get("/audit", size=1).json
    assert entries["total"] > 1
    assert "page=2" in entries["next"]


def test_what_if_without_a_scoring_service_says_so(ada: Program, hub: Hub) -> None:
    answer = ada.post("/releases/motor-health/2/what-if", machine="pump-1", inputs={"pressure": 4.4})
    assert answer.status_code in (404, 503)
    assert ada.post("/releases/motor-health/2/what-if", machine="pump-1", inputs={"no": 1}).status_code == 422
    assert ada.post("/releases/motor-health/3/what-if", machine="pump-1").status_code == 409


def test_the_chain_is_whole_after_all_that(ada: Program, hub: Hub) -> None:
    told = ada.get("/audit-chain").json
    assert told["broken"] is None
    assert told["entries"] == told["total"] > 0
    words = [each["words"] for each in ada.get("/audit", action="rollout.start").json["items"]]
    assert words[-1] == "mira started motor-health-2.1"
