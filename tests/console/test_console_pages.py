"""Every page shows what the database holds, in words, whatever a device calls itself."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from psycopg.types.json import Jsonb

from cloud_hub.console.here import SQL
from cloud_hub.console.live import LOOK_BACK, Pulse
from cloud_hub.hub import Hub
from cloud_hub.store import fleet, labels
from cloud_hub.store.labels import NewLabel
from tests.console.console_people import token
from tests.console.console_seed import seed

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def rollout(hub: Hub) -> str:
    return seed(hub)


def test_an_empty_hub_says_how_to_begin(client: FlaskClient) -> None:
    assert "andon device add" in client.get("/").text
    assert "andon model train" in client.get("/models").text
    assert "andon rollout start" in client.get("/rollouts").text


def test_the_fleet_lists_what_needs_someone_first(client: FlaskClient, rollout: str) -> None:
    text = client.get("/").text
    order = [text.index(f'id="m-{name}"') for name in ("pump-1", "pump-3", "pump-2")]
    assert order == sorted(order)
    assert "device-silent" in text
    assert "polyline" in text


def test_a_machine_shows_its_life_alarm_and_failure(client: FlaskClient, rollout: str) -> None:
    text = client.get("/machines/pump-1?span=30d&signals=flow").text
    for expected in (
        "remaining life 61 h is below 72 h",
        "failure",
        "cmms",
        "motor-health/2",
        "signals=flow",
    ):
        assert expected in text


def test_a_label_says_what_it_found(client: FlaskClient, hub: Hub, rollout: str) -> None:
    now = hub.clock.now()
    span = {"since": (now - timedelta(hours=2)).isoformat()}
    told = (("failure", {"fault": "outer race"}), ("verdict", {"verdict": "wrong"} | span))
    kept = [NewLabel(machine="pump-1", kind=kind, time=now, detail=detail) for kind, detail in told]
    labels.insert(hub.database, kept, source="cmms", added=now)
    text = client.get("/machines/pump-1").text
    assert '<span class="sub">outer race</span>' in text
    assert '<span class="sub">wrong</span>' in text


def test_models_tell_the_trivial_guess_that_the_gate_held_them_against(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    duels = [{"rival": "mean"}, {"rival": "motor-health/1"}]
    told = {"baselines": {"mean": 83.7, "age": 74.3}, "paired": duels}
    hub.database.execute("UPDATE model SET gate = gate || %(gate)s", {"gate": Jsonb({"evidence": told})})
    for path in ("/models", "/models/motor-health"):
        text = client.get(path).text
        assert "a guess 83.7" in text
        assert "74.3" not in text


def test_a_run_that_is_done_leads_to_the_release_it_made(client: FlaskClient, hub: Hub, rollout: str) -> None:
    told = "UPDATE run SET state = 'failed', error = 'too few machines' WHERE id = 'motor-health-r4'"
    hub.database.execute(told)
    rows = client.get("/models/motor-health").text.partition('id="h-runs"')[2].split("<tr>")
    by_run = {row.partition('class="mono">')[2].partition("<")[0]: row for row in rows}
    assert 'href="/models/motor-health/2"' in by_run["motor-health-r2"]
    assert 'href="/models/' not in by_run["motor-health-r4"]
    assert "too few machines" in by_run["motor-health-r4"]


def test_a_device_says_why_it_went_back(client: FlaskClient, hub: Hub, rollout: str) -> None:
    row = hub.database.row(
        "SELECT d.name FROM rollout_device r JOIN device d ON d.id = r.device WHERE wave = 1"
    )
    assert row
    text = client.get(f"/devices/{row['name']}").text
    assert "share of answers out of range 0.31, allowed 0.05" in text
    assert "bad_share" in text
    offline = client.get("/devices/cell-3").text
    assert "ColumnMismatch" in offline
    assert "agent-down" in offline


def test_what_other_devices_suffer_hides_no_incident_or_alarm_of_this_one(hub: Hub, rollout: str) -> None:
    of_one = fleet.incidents(hub.database, device="cell-3", open_only=False, most=1)
    assert {each.device for each in of_one} == {"cell-3"}
    assert {each.device for each in fleet.alarms(hub.database, device="cell-1", most=1)} == {"cell-1"}
    assert fleet.alarms(hub.database, device="cell-2") == []


def test_models_show_champion_verdict_and_lineage(client: FlaskClient, rollout: str) -> None:
    for path in ("/models", "/models/motor-health"):
        text = client.get(path).text
        for expected in ("champion", "candidate", "31.2", "64.5", "training"):
            assert expected in text
    assert "not passed" in text
    text = client.get("/models/motor-health/2").text
    for expected in ("motor-health-3f9a0c11d2e4", "20\u202f160", "motor-health-r2", "mira", "RMSE 31.2 h"):
        assert expected in text


@pytest.mark.parametrize(
    "path",
    ["/machines/nope", "/devices/nope", "/models/nope/1", "/models/a/b", "/rollouts/nope", "/nope"],
)
def test_what_is_not_there_is_said_in_words(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is no" in answer.text


def test_an_absurd_span_is_refused_in_words(client: FlaskClient, rollout: str) -> None:
    spans = ("", "7", "-1d", "0d", "9999999d", "999999d", "1d;drop", "1 d")
    paths = ("/machines/pump-1", "/api/v1/machines/pump-1/series", "/api/v1/machines/pump-1/predictions")
    for path, span in itertools.product(paths, spans):
        answer = client.get(path, query_string={"span": span})
        assert answer.status_code == 400
        assert "Expected a span" in answer.text


def test_no_name_a_device_can_send_becomes_code(client: FlaskClient, hub: Hub) -> None:
    rollout = seed(hub, hostile=HOSTILE)
    device = hub.database.row(
        "SELECT d.name FROM rollout_device r JOIN device d ON d.id = r.device WHERE wave = 1"
    )
    assert device
    machine = f"pump-1{HOSTILE}".replace("/", "%2F")
    paths = ["/", f"/devices/{device['name']}", "/devices/cell-3", "/rollouts", f"/rollouts/{rollout}"]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text
    assert "<script>alert" not in client.get(f"/machines/{machine}").text


def test_a_chart_says_what_its_holes_are(client: FlaskClient, hub: Hub, rollout: str) -> None:
    now = datetime.now(UTC)
    hub.database.execute(
        "INSERT INTO gap (device, from_time, to_time, reason, noted)"
        " SELECT device, %(from)s, %(now)s, 'agent-down', %(now)s FROM machine WHERE name = 'pump-1'",
        {"from": now - timedelta(days=30), "now": now - timedelta(hours=1)},
    )
    answer = client.get("/api/v1/machines/pump-1/series?signals=flow&span=7d").json
    gap = {"start": answer["start"], "end": (now - timedelta(hours=1)).timestamp(), "reason": "agent-down"}
    assert gap in answer["gaps"]


def test_series_and_predictions_carry_what_charts_draw(client: FlaskClient, rollout: str) -> None:
    answer = client.get("/api/v1/machines/pump-1/series?signals=flow,pressure&span=7d").json
    assert [each["signal"] for each in answer["series"]] == ["flow", "pressure"]
    assert answer["series"][0]["unit"] == "m3/h"
    assert 160 < len(answer["series"][0]["times"]) <= 170
    told = client.get("/api/v1/machines/pump-1/predictions?span=30d").json
    assert len(told["times"]) == len(told["lower"]) == 14 * 24 + 1
    assert {mark["kind"] for mark in told["marks"]} == {"alarm", "failure", "maintenance", "release"}
    assert client.get("/api/v1/machines/nope/series").status_code == 404


def test_a_rollout_is_paused_with_a_reason_and_only_once(client: FlaskClient, hub: Hub, rollout: str) -> None:
    path = f"/rollouts/{rollout}"
    form = {"csrf": token(client, path), "reason": "smoke in hall 3"}
    assert client.post(f"{path}/pause", data=form).headers["Location"] == path
    assert hub.database.row("SELECT state, reason FROM rollout") == {
        "state": "paused",
        "reason": "smoke in hall 3",
    }
    again = client.post(f"{path}/pause", data=form)
    assert again.status_code == 409
    assert "Nothing was changed" in again.text
    assert client.post(f"{path}/resume", data=form | {"reason": ""}).status_code == 303
    entries = hub.database.rows("SELECT action, actor FROM audit WHERE action LIKE 'rollout%' ORDER BY id")
    assert [row["action"] for row in entries] == ["rollout.start", "rollout.pause", "rollout.resume"]
    assert {row["actor"] for row in entries} == {"mira"}


def test_a_wave_that_awaits_approval_is_approved_on_the_page(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    hub.database.execute("UPDATE rollout SET state = 'awaiting', approvals = '{2}'")
    path = f"/rollouts/{rollout}"
    page = client.get(path).text
    assert "Approve " in page
    assert "before wave 2" in page
    assert client.post(f"{path}/approve", data={"csrf": token(client, path)}).status_code == 303
    assert hub.database.row("SELECT state, approved FROM rollout") == {"state": "running", "approved": 2}
    again = client.post(f"{path}/approve", data={"csrf": token(client, path)})
    assert again.status_code == 409


def test_an_act_without_a_reason_is_asked_for_it(client: FlaskClient, hub: Hub, rollout: str) -> None:
    path = f"/rollouts/{rollout}"
    answer = client.post(f"{path}/undo", data={"csrf": token(client, path), "reason": "  "})
    assert answer.status_code == 400
    assert "Say why" in answer.text
    long = client.post(f"{path}/undo", data={"csrf": token(client, path), "reason": "x" * 501})
    assert long.status_code == 400
    assert "x" * 501 in long.text
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}
    assert client.post(f"{path}/explode", data={"csrf": token(client, path)}).status_code == 404


def test_an_oversized_form_is_refused(client: FlaskClient, rollout: str) -> None:
    path = f"/rollouts/{rollout}/pause"
    assert client.post(path, data={"csrf": "x", "reason": "x" * 100_000}).status_code == 413


def news(stream: Iterator[str]) -> dict[str, object]:
    told: dict[str, object] = json.loads(next(stream).removeprefix("data: "))
    return told


def test_open_pages_hear_what_changed(hub: Hub, rollout: str) -> None:
    pulse = Pulse(hub.database, hub.clock)
    first, second = pulse.listen(1), pulse.listen(2)
    assert first
    assert second
    assert [next(first), next(second)] == ["retry: 2000\n\n"] * 2
    assert news(first)["changed"] == news(second)["changed"] == list(hub.database.row(SQL["pulse"]) or ())
    assert news(first)["changed"] == []
    hub.rollouts.pause(rollout, actor="mira", reason="smoke")
    assert any("rollouts" in news(first)["changed"] for _ in range(3))  # type: ignore[operator]  # plain JSON
    pulse.stop()
    assert list(first) == []


def test_a_page_hears_what_changed_while_it_was_drawn(hub: Hub, rollout: str) -> None:
    pulse = Pulse(hub.database, hub.clock)
    first = pulse.listen(1)
    assert first
    next(first)
    assert news(first)["changed"] == list(hub.database.row(SQL["pulse"]) or ())
    for _ in range(LOOK_BACK):
        news(first)
    hub.rollouts.pause(rollout, actor="mira", reason="smoke")
    while "rollouts" not in (heard := news(first))["changed"]:  # type: ignore[operator]  # plain JSON
        pass
    second = pulse.listen(2)
    assert second
    next(second)
    told = news(second)
    assert "rollouts" in told["changed"]  # type: ignore[operator]
    assert told["now"] > heard["now"]  # type: ignore[operator]
    for _ in range(LOOK_BACK):
        news(second)
    third = pulse.listen(3)
    assert third
    next(third)
    assert news(third)["changed"] == []
    pulse.stop()


def test_evidence_keeps_its_name_when_another_report_comes(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    """By it what a reader opened stays open, and nothing else."""
    device = hub.database.row("SELECT d.name FROM report r JOIN device d ON d.id = r.device")
    assert device

    def names() -> list[str]:
        text = client.get(f"/devices/{device['name']}").text
        return re.findall(r'<details class="more" id="(e-[^"]+)"', text)

    before = names()
    assert before
    hub.database.execute(
        """INSERT INTO report (device, use_case, directive_sequence, state, event, reason, release, rollout,
                               correlation, evidence, time, received)
           SELECT device, use_case, directive_sequence, state, event, reason, release, rollout,
                  correlation, evidence, time + interval '1 minute', received + interval '1 minute'
             FROM report"""
    )
    after = names()
    assert len(after) == len(before) + 1
    assert after[1:] == before


def test_a_prediction_that_cannot_be_explained_says_why_in_its_place(
    client: FlaskClient, rollout: str
) -> None:
    page = client.get("/machines/pump-1").text
    assert 'hx-get="/machines/pump-1/why/motor-health"' in page
    answer = client.get("/machines/pump-1/why/motor-health")
    assert answer.status_code == 200
    assert "It cannot be explained:" in answer.text
    assert client.get("/api/v1/machines/pump-1/explanation/motor-health").status_code in {404, 409}


def test_a_clock_that_is_hours_off_is_told_in_hours(client: FlaskClient, hub: Hub) -> None:
    seed(hub)
    hub.database.execute("UPDATE device SET skew_s = CASE name WHEN 'cell-1' THEN -72809 ELSE 1.5 END")
    listed = client.get("/devices").text
    assert "20\u202fh behind" in listed
    assert "1.5 s" in listed
    assert "20\u202fh behind" in client.get("/devices/cell-1").text
