"""The page of one machine: any signals over any span, what happened marked and listed, what people say of it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cloud_hub.console.machines import happenings
from cloud_hub.console.machines.spans import Span
from cloud_hub.flows import labelling
from cloud_hub.flows.labelling import Saying
from cloud_hub.governance import audit
from cloud_hub.hub import Hub
from cloud_hub.store import fleet
from cloud_hub.store.fleet import Alarm
from tests.console.conftest import Later
from tests.console.console_people import PASSWORD, Browser, token
from tests.console.console_seed import SIGNALS, seed
from tests.console.test_console_pages import HOSTILE

PAGE = "/machines/pump-1"
HIDDEN = r'type="hidden" name="([^"]+)" value="([^"]*)"'


@pytest.fixture
def alarm(hub: Hub) -> Alarm:
    """The open one of pump-1."""
    seed(hub)
    return fleet.alarms(hub.database, "pump-1")[0]


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(PAGE + path, data={"csrf": token(client, PAGE), **fields})


def labels(hub: Hub, kind: str) -> list[dict[str, Any]]:
    query = "SELECT detail, source FROM label WHERE kind = %(kind)s AND source <> 'cmms' ORDER BY id"
    return hub.database.rows(query, {"kind": kind})


def acts(hub: Hub) -> list[str]:
    found = hub.database.rows("SELECT action FROM audit WHERE subject = 'pump-1' ORDER BY id")
    return [row["action"] for row in found]


def test_an_alarm_is_judged_and_a_second_judgement_replaces_the_first_in_sight(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    path = f"/alarms/{alarm.id}/verdict"
    page = client.get(PAGE).text
    assert "begins at 72 or below, 3 predictions in a row; ends past 120" in page
    assert "judged " not in page.partition('class="alarms"')[2]
    first = send(client, f"{path}?span=30d", verdict="wrong", note=f"no noise {HOSTILE}")
    assert first.headers["Location"] == f"{PAGE}?span=30d#h-alarms"
    send(client, path, verdict="right", fault="outer race", note="opened it")
    again = send(client, path, verdict="right", fault="outer race", note="opened  it")
    assert again.status_code == 303
    page = client.get(PAGE).text
    assert "was judged right already: nothing was changed" in page
    assert "judged right" in page
    assert "<del>wrong: no noise &lt;script&gt;" in page
    assert "<script>alert" not in page
    kept = labels(hub, "verdict")
    assert [each["detail"]["verdict"] for each in kept] == ["wrong", "right"]
    assert kept[1]["detail"]["fault"] == "outer race"
    assert acts(hub) == ["alarm.judge", "alarm.judge"]
    around = re.search(r'href="([^"]+)">Show it in the charts', page)
    assert around
    looked = client.get(around[1].replace("&amp;", "&"))
    assert looked.status_code == 200
    assert "remaining life 61 h" in looked.text.partition('id="h-happened"')[2]
    filtered = client.get(f"{PAGE}?alarms=not+judged").text
    assert "No alarm of this machine is “not judged”" in filtered


def test_a_verdict_that_cannot_be_changes_nothing_and_keeps_what_was_typed(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    path = f"/alarms/{alarm.id}/verdict"
    cases = (
        ({"verdict": "wrong", "fault": "outer race"}, 409, "expected no fault where the alarm was wrong"),
        (
            {"verdict": "right", "fault": "x" * 101},
            409,
            "at most 100 characters of a fault, got 101",
        ),
        ({"verdict": "right", "fault": "gremlins"}, 409, "expected a fault of a motor-pump out of"),
        ({"verdict": "maybe"}, 409, "expected a verdict right or wrong"),
        ({}, 400, "Say whether the alarm was right or wrong"),
        ({"verdict": "right", "note": "x" * 501}, 409, "a note of at most 500 characters, got 501"),
    )
    for fields, status, why in cases:
        answer = send(client, path, **{"note": "typed <b>", **fields})
        assert answer.status_code == status
        assert why in answer.text
        assert fields.get("note", "typed &lt;b&gt;") in answer.text
        assert f'id="judge-{alarm.id}" open' in answer.text
    other = f"/machines/pump-2/alarms/{alarm.id}/verdict"
    assert client.post(other, data={"csrf": token(client, PAGE), "verdict": "right"}).status_code == 404
    assert client.post(PAGE + path, data={"verdict": "right"}).status_code == 403
    hub.database.execute("UPDATE alarm SET opened = %(t)s", {"t": hub.clock.now() + timedelta(minutes=4)})
    assert "the device&#39;s clock is ahead" in send(client, path, verdict="right").text
    assert labels(hub, "verdict") == []
    assert acts(hub) == []


def test_two_people_who_judge_at_once_are_heard_one_after_the_other(hub: Hub, alarm: Alarm) -> None:
    def judge(number: int) -> bool:
        return labelling.judge(hub, "pump-1", alarm.id, "right", Saying(actor=f"person {number}"))

    with ThreadPoolExecutor(4) as people:
        with hub.database.transaction() as connection:
            connection.execute(audit.SQL["lock"])  # whoever has judged waits here to go on record
            changed = [people.submit(judge, number) for number in range(4)]
            wait(changed, timeout=0.5)
        assert sorted(each.result() for each in changed) == [False, False, False, True]
    assert len(labels(hub, "verdict")) == 1
    assert acts(hub) == ["alarm.judge"]


def test_a_failure_is_logged_once_at_the_moment_that_it_was_in_the_zone_that_was_said(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    moment = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=30)
    here = (moment + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")  # Tokyo knows no summer
    form = {"kind": "failure", "time": here, "zone": "Asia/Tokyo", "fault": "outer race", "note": "seized"}
    assert send(client, "/log?signals=flow", **form).headers["Location"] == f"{PAGE}?signals=flow#h-history"
    twice = send(client, "/log", **form)
    assert twice.status_code == 409
    assert "is logged already" in twice.text
    assert 'value="seized"' in twice.text
    told = hub.database.row("SELECT time, detail FROM label WHERE kind = 'failure' AND source <> 'cmms'")
    assert told == {"time": moment, "detail": {"fault": "outer race", "note": "seized"}}
    assert acts(hub) == ["label.failure"]
    contrary = send(client, "/log", **form | {"fault": ""})
    assert "labels do not change" in contrary.text
    assert "seized" in client.get(f"{PAGE}?span=7d").text


def test_what_cannot_have_happened_is_refused_in_words_and_stays_typed(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    cases = (
        ({"time": tomorrow}, 409, "has not come yet"),
        ({"time": "2020-01-01T00:00"}, 409, "pump-1 is known since"),
        ({"time": "yesterday"}, 409, "expected a date and a time"),
        ({"time": "2026-10-25T02:30", "zone": "Europe/Paris"}, 409, "comes twice"),
        ({"time": ""}, 400, "Say what happened and when"),
        ({"kind": "verdict"}, 409, "expected failure or maintenance"),
        ({"zone": "../x"}, 409, "expected a zone"),
    )
    usual = {"kind": "maintenance", "time": "2026-11-20T08:00", "zone": "UTC", "note": "greased it"}
    for fields, status, why in cases:
        answer = send(client, "/log", **usual | fields)
        assert answer.status_code == status
        assert why in answer.text
        assert 'value="greased it"' in answer.text
        assert f'value="{fields.get("time", usual["time"])}"' in answer.text
    assert client.post("/machines/nope/log", data={"csrf": token(client, PAGE), **usual}).status_code == 404
    assert labels(hub, "maintenance") == []
    assert acts(hub) == []


def test_the_page_lists_what_charts_mark_and_says_what_its_link_asks_in_vain(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    page = client.get(f"{PAGE}?span=30d&signals=nope,flow")
    assert page.status_code == 200
    assert "no signal called nope. Shown is flow" in page.text
    table = page.text.partition('id="h-happened"')[2].partition("</table>")[0]
    for expected in (
        "remaining life 61 h",
        "told by cmms",
        "motor-health/2",
        "predicts from here on",
        "and goes on",
    ):
        assert expected in table
    hub.database.execute(
        "INSERT INTO signal (machine, name, unit, kind) SELECT id, 'extra-' || n, 'bar', 'scalar'"
        "  FROM machine, generate_series(1, 5) AS n WHERE machine.name = 'pump-1'"
    )
    many = ",".join([*(each[0] for each in SIGNALS), *(f"extra-{n}" for n in range(1, 6))])
    assert (
        "At most 8 signals are drawn at once; left out: extra-4, extra-5"
        in client.get(f"{PAGE}?signals={many}").text
    )
    bad = {"span": "own", "from": "2026-11-20T08:00", "to": "2026-11-19T08:00", "zone": "Europe/Paris"}
    answer = client.get(PAGE, query_string=bad)
    assert answer.status_code == 400
    assert "ends after it begins" in answer.text
    assert 'value="2026-11-20T08:00"' in answer.text
    assert client.get(f"/api/v1{PAGE}/series", query_string=bad).status_code == 400
    quiet = {"span": "own", "from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "zone": "UTC"}
    assert "Nothing is known to have happened in this span" in client.get(PAGE, query_string=quiet).text
    series = client.get(f"/api/v1{PAGE}/series", query_string=quiet | {"signals": "flow"}).json
    assert series["series"][0]["times"] == []


def test_of_a_release_that_tells_no_life_the_anomaly_is_drawn(
    client: FlaskClient, hub: Hub, alarm: Alarm
) -> None:
    assert 'data-figure="life"' in client.get(PAGE).text
    outputs = '[{"name": "anomaly", "unit": "1", "low": 0, "high": 40}]'
    hub.database.execute(
        "UPDATE model SET manifest = manifest || jsonb_build_object('outputs', %(told)s::jsonb, 'interval', null)",
        {"told": outputs},
    )
    page = client.get(PAGE).text
    assert 'data-figure="anomaly"' in page
    assert "motor-health tells no remaining life" in page


def test_a_live_chart_asks_for_the_newest_points_alone(client: FlaskClient, hub: Hub, alarm: Alarm) -> None:
    newest = client.get(f"/api/v1{PAGE}/live").json
    assert newest["prediction"]["release"] == "motor-health/2"
    assert (
        newest["prediction"]["lower"] < newest["prediction"]["remaining_life"] < newest["prediction"]["upper"]
    )
    assert set(newest["signals"]) == {"pressure", "temperature", "flow", "current", "speed"}
    assert abs(newest["now"] - newest["signals"]["flow"]["time"]) < 60
    assert client.get("/api/v1/machines/nope/live").status_code == 404
    for part in ("now", "history"):
        assert client.get(f"{PAGE}/{part}?span=1h").status_code == 200
        assert client.get(f"/machines/nope/{part}").status_code == 404


def test_who_may_only_look_is_shown_no_form_and_refused_each_act(
    enter: Callable[..., Browser], hub: Hub, alarm: Alarm
) -> None:
    viewer = enter("vera", "viewer").client
    page = viewer.get(PAGE).text
    assert "takes the role engineer or operator at lyon" in page
    assert 'action="/machines/' not in page.partition('id="h-alarms"')[2]
    for path in (f"/alarms/{alarm.id}/verdict", "/log"):
        form = {"csrf": token(viewer, "/account"), "verdict": "right", "kind": "failure"}
        assert viewer.post(PAGE + path, data=form).status_code == 403
    hub.database.execute("INSERT INTO site (name, zone) VALUES ('oslo', 'Europe/Oslo')")
    elsewhere = enter("otto", "operator@oslo").client
    for path in (PAGE, f"{PAGE}/now", f"{PAGE}/history", f"/api/v1{PAGE}/live"):
        assert elsewhere.get(path).status_code == 404
    assert acts(hub) == []


def test_a_form_of_a_session_that_ended_comes_back_as_it_was_typed(
    enter: Callable[..., Browser], later: Later, hub: Hub, alarm: Alarm
) -> None:
    client = enter("mira", "engineer").client
    form = {"csrf": token(client, PAGE), "verdict": "right", "note": "it sang"}
    later.ahead = timedelta(days=30)
    asked = client.post(f"{PAGE}/alarms/{alarm.id}/verdict", data=form)
    assert asked.status_code == 401
    fields = {name: unescape(value) for name, value in re.findall(HIDDEN, asked.text)}
    back = client.post("/login", data=fields | {"name": "mira", "password": PASSWORD})
    page = client.get(back.headers["Location"]).text
    assert f'id="judge-{alarm.id}" open' in page
    assert 'value="it sang"' in page
    assert acts(hub) == []


def test_an_alarm_that_began_before_a_span_and_goes_on_belongs_to_it() -> None:
    now = datetime(2026, 11, 27, tzinfo=UTC)
    span = Span.parse("1h", now)
    began = now - timedelta(days=3)
    goes_on, ended = (
        happenings.Happening(kind="alarm", time=began, until=until, text="hot")
        for until in (None, now - timedelta(days=2))
    )
    assert happenings.within(span, [goes_on, ended]) == [goes_on]
    assert happenings.marks(span, [goes_on]) == []
