"""What is sent has to be as declared, field by field; whatever else is refused by name and does nothing."""

import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.console.api.asked import MOST_FIELDS
from cloud_hub.hub import Hub
from cloud_hub.identity.people.permissions import Permission
from tests.console.console_people import Browser, token
from tests.console.console_programs import Program

Programs = Callable[..., Program]

VERDICT = "/machines/pump-1/alarms/1/verdict"
LABELS = "SELECT count(*) AS n FROM label"
RETIRE = "/devices/cell-1/retire"


@pytest.fixture
def ada(program: Programs) -> Program:
    return program("ada", "admin")


@pytest.mark.parametrize(
    ("path", "field", "expected"),
    [
        ("/machines?colour=red", "colour", "no such field"),
        ("/machines?page=0", "page", "at least 1"),
        ("/machines?page=1.0", "page", "a whole number"),
        ("/machines?page=99999999999999999999", "page", "a whole number"),
        ("/machines?size=101", "size", "at most 100"),
        ("/machines?page=1&page=2", "page", "one value"),
        ("/machines?state=well", "state", "'alarm', 'watch', 'silent', 'healthy' or 'no prediction'"),
        ("/events?since=1764000000", "since", "a moment such as 2026-11-27T03:10:00Z"),
        ("/events?since=2026-11-27T03:10:00", "since", "timezone"),
        ("/releases/motor-health/2/comparison", "against", "a value"),
        ("/me?x=1", "x", "no such field"),
    ],
)
def test_a_query_that_is_not_as_declared_is_refused_by_its_field(
    ada: Program, path: str, field: str, expected: str
) -> None:
    answer = ada.client.get(f"/api/v1{path}", headers=ada.headers)
    assert answer.status_code == 400
    (told,) = answer.json["fields"]
    assert told["field"] == field
    assert expected in told["expected"]
    assert field in answer.json["error"]


def test_a_field_that_is_none_is_said_to_be_none(ada: Program) -> None:
    answer = ada.client.get("/api/v1/machines?colour=red", headers=ada.headers)
    assert answer.json["error"] == "There is no field colour here."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "verdict"),
        (b'{"verdict": "maybe"}', "verdict"),
        (b'{"verdict": "right", "why": "x"}', "why"),
        (b'{"verdict": "right", "verdict": "wrong"}', "verdict"),
        (b'{"verdict": "right", "note": 5}', "note"),
        (b'{"verdict": "right", "note": "a\\u0000b"}', "note"),
        (b'{"verdict": "right", "note": "' + b"x" * 501 + b'"}', "note"),
        (b"[]", "body"),
        (b"null", "body"),
    ],
)
def test_a_body_that_is_not_as_declared_is_refused_by_its_field(
    ada: Program, hub: Hub, body: bytes, field: str
) -> None:
    before = hub.database.row(LABELS)
    answer = ada.send(VERDICT, body)
    assert answer.status_code == 422
    assert hub.database.row(LABELS) == before
    assert field in {each["field"] for each in answer.json["fields"]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "got something else"),
        (b"{", "got something else"),
        (b'{"verdict": NaN}', "no number NaN"),
        (b'{"verdict": -Infinity}', "no number -Infinity"),
        (b'{"verdict": "\xff"}', "got something else"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "got something else"),
    ],
)
def test_what_is_no_json_is_refused(ada: Program, body: bytes, why: str) -> None:
    answer = ada.send(VERDICT, body)
    assert answer.status_code == 400
    assert why in answer.json["error"]


def test_a_lone_surrogate_is_no_text(ada: Program) -> None:
    answer = ada.send(VERDICT, b'{"verdict": "right", "note": "\\ud800"}')
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_an_action_takes_json_and_nothing_else(ada: Program, kind: str) -> None:
    answer = ada.send(VERDICT, b'{"verdict": "right"}', content_type=kind)
    assert answer.status_code == 415
    assert "application/json" in answer.json["error"]


def test_an_oversized_body_is_refused(ada: Program) -> None:
    answer = ada.send(VERDICT, b'{"verdict": "right", "note": "' + b"x" * 70_000 + b'"}')
    assert (answer.status_code, set(answer.json)) == (413, {"error"})


def test_another_method_is_answered_with_those_there_are(ada: Program) -> None:
    for method, path in (("DELETE", "/machines"), ("GET", RETIRE), ("PUT", "/me")):
        answer = ada.client.open(f"/api/v1{path}", method=method, headers=ada.headers)
        assert (answer.status_code, set(answer.json)) == (405, {"error"})
        assert answer.headers["Allow"]


def test_an_address_that_is_none_answers_in_words(ada: Program) -> None:
    answer = ada.get("/machine")
    assert (answer.status_code, set(answer.json)) == (404, {"error"})


def test_numbers_beyond_what_the_database_counts_are_no_mistake(ada: Program, client: FlaskClient) -> None:
    for path in (f"/machines/pump-1/alarms/{2**64}/verdict", f"/releases/motor-health/{10**30}/approve"):
        assert ada.post(path, verdict="right").status_code == 404
    form = {"csrf": token(client, "/account"), "verdict": "right"}
    assert client.post(f"/machines/pump-1/alarms/{2**64}/verdict", data=form).status_code == 404


def test_a_token_that_is_none_is_told_so(app: Flask) -> None:
    for authorization in ("", "Bearer", "Bearer andon_no", "Basic eDp5"):
        answer = app.test_client().get("/api/v1/me", headers={"Authorization": authorization})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_reads_and_does_nothing(enter: Callable[..., Browser], hub: Hub, rollout: str) -> None:
    client = enter("mira", "admin").client
    assert client.get("/api/v1/machines").status_code == 200
    csrf = token(client, "/account")
    for headers in ({}, {"X-CSRF-Token": csrf}, {"Origin": "http://localhost"}):
        answer = client.post(
            f"/api/v1/rollouts/{rollout}/pause", json={"reason": "x", "csrf": csrf}, headers=headers
        )
        assert answer.status_code == 403
        assert "take a token" in answer.json["error"]
    form = client.post(f"/api/v1/rollouts/{rollout}/pause", data={"reason": "x", "csrf": csrf})
    assert form.status_code == 403
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


def test_a_token_does_what_its_scopes_say_and_no_more(program: Programs, hub: Hub, rollout: str) -> None:
    reader = program("ada", "admin", scopes=[Permission.SEE])
    answer = reader.post(f"/rollouts/{rollout}/pause", reason="smoke")
    assert answer.status_code == 403
    assert reader.get("/jobs").status_code == 403
    measurer = program("max", "admin", scopes=[Permission.METRICS])
    assert measurer.get("/machines").status_code == 403
    me = measurer.get("/me").json
    assert (me["name"], me["by"]) == ("max", "token")
    assert me["may"] == [{"permission": "metrics", "sites": None}]


def test_no_operation_reaches_people_accounts_or_keys(program: Programs, app: Flask) -> None:
    paths = program("ada", "admin").get("/openapi.json").json["paths"]
    for path in paths:
        assert not {"people", "account", "person", "tokens", "keys", "password"} & set(path.split("/")), path


def test_a_body_of_thousands_of_wrong_names_costs_little_and_is_answered_shortly(ada: Program) -> None:
    names = [f'"{number:x}": 1' for number in range(6000)]
    took = []
    for body, told in (([*names, names[-1]], 1), (names, MOST_FIELDS)):
        began = time.thread_time()
        answer = ada.send(VERDICT, f"{{{', '.join(body)}}}".encode())
        took.append(time.thread_time() - began)
        assert (answer.status_code, len(answer.json["fields"])) == (422, told)
    assert took[0] < 5 * took[1]  # where each name was looked for among all of them: fifty times
