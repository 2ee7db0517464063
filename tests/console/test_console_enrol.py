"""Devices enrolled and retired at the console: by the calls of the command line, once, into the audit chain."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from cloud_hub.hub import Hub
from cloud_hub.identity import tokens
from cloud_hub.identity.tokens import Token
from tests.console.console_people import Browser
from tests.console.console_seed import seed

Enter = Callable[..., Browser]

FORM = {
    "name": "press-04",
    "site": "metz",
    "zone": "Europe/Paris",
    "profile": "generic",
    "tags": "a, b",
    "hours": "24",
}


@pytest.fixture
def rollout(hub: Hub) -> str:
    return seed(hub)


def csrf(client: FlaskClient, path: str) -> dict[str, str]:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path).text)
    assert found
    return {"csrf": found[1]}


def actions(hub: Hub) -> list[str]:
    return [
        row["action"]
        for row in hub.database.rows("SELECT action FROM audit WHERE action LIKE 'device.%' ORDER BY id")
    ]


def shown(text: str) -> Token:
    found = re.search(r'readonly value="([^"]+)"', text)
    assert found
    return Token.parse(found[1])


def test_a_device_is_added_once_and_its_token_is_shown_once(client: FlaskClient, hub: Hub) -> None:
    form = FORM | csrf(client, "/enrol")
    answer = client.post("/enrol", data=form)
    token = shown(answer.text)
    assert answer.headers["Cache-Control"] == "no-store"
    kept = hub.database.row("SELECT secret_sha256 FROM enrol_token")
    assert kept == {"secret_sha256": token.secret_sha256}
    device = hub.database.row("SELECT d.tags, s.zone FROM device d JOIN site s ON s.id = d.site")
    assert device == {"tags": ["a", "b"], "zone": "Europe/Paris"}
    again = client.post("/enrol", data=form)
    assert again.status_code == 409
    assert "Nothing was added" in again.text
    assert 'value="press-04"' in again.text
    assert actions(hub) == ["device.add"]
    assert token.secret not in client.get("/devices/press-04").text
    audited = hub.database.row("SELECT actor, detail::text AS detail FROM audit WHERE action = 'device.add'")
    assert audited
    assert audited["actor"] == "mira"
    assert token.secret not in audited["detail"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "Press 04", "Press 04"),
        ("name", "", "name"),
        ("site", "", "site"),
        ("zone", "Mars/North", "Mars/North"),
        ("profile", "toaster", "toaster"),
        ("hours", "9999", "9999"),
    ],
)
def test_a_form_with_a_mistake_names_it_and_keeps_what_was_typed(
    client: FlaskClient, hub: Hub, field: str, value: str, said: str
) -> None:
    answer = client.post("/enrol", data=FORM | {field: value} | csrf(client, "/enrol"))
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="a, b"' in answer.text
    assert hub.database.row("SELECT count(*) AS n FROM device") == {"n": 0}
    assert actions(hub) == []


def test_a_new_token_ends_the_one_before(client: FlaskClient, hub: Hub, rollout: str) -> None:
    form = {"hours": "1"} | csrf(client, "/devices/cell-1/token")
    first = shown(client.post("/devices/cell-1/token", data=form).text)
    second = shown(client.post("/devices/cell-1/token", data=form).text)
    known = [row["secret_sha256"] for row in hub.database.rows("SELECT secret_sha256 FROM enrol_token")]
    assert known == [second.secret_sha256]
    assert first.secret != second.secret
    assert tokens.LIFETIME.total_seconds() == 86400  # the form's middle choice is the command line's default


def test_retiring_names_what_will_happen_asks_why_and_happens_once(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    path = "/devices/cell-1/retire"
    page = client.get(path).text
    assert "Its 2 machines (pump-1, pump-2)" in page
    assert "An alarm is open" in page
    form = {"reason": "  "} | csrf(client, path)
    silent = client.post(path, data=form)
    assert silent.status_code == 400
    assert "Say why" in silent.text
    long = client.post(path, data=form | {"reason": "x" * 501})
    assert long.status_code == 400
    assert "x" * 501 in long.text
    assert hub.database.row("SELECT count(*) AS n FROM device WHERE retired IS NOT NULL") == {"n": 0}
    done = client.post(path, data=form | {"reason": "scrapped"})
    assert (done.status_code, done.headers["Location"]) == (303, "/devices/cell-1")
    assert "is retired" in client.get("/devices/cell-1").text
    again = client.post(path, data=form | {"reason": "scrapped"})
    assert again.status_code == 409
    assert "Nothing was changed" in again.text
    assert actions(hub).count("device.retire") == 1
    assert "pump-1" not in re.findall(r'id="m-([^"]+)"', client.get("/").text)


def test_what_changes_something_needs_the_sessions_token_and_a_device_that_is_there(
    client: FlaskClient, hub: Hub, rollout: str
) -> None:
    for path in ("/enrol", "/devices/cell-1/token", "/devices/cell-1/retire"):
        assert client.post(path, data=FORM | {"reason": "x"}).status_code == 403
    token = csrf(client, "/enrol")
    for path in ("/devices/nope/token", "/devices/nope/retire"):
        assert client.get(path).status_code == 404
        assert client.post(path, data={"reason": "x", "hours": "24"} | token).status_code == 404
    assert actions(hub) == []


def test_who_enrols_at_one_site_adds_nothing_at_another(enter: Enter, hub: Hub, rollout: str) -> None:
    metz(hub)
    ada = enter("ada", "operator@lyon").client
    refused = ada.post("/enrol", data=FORM | csrf(ada, "/enrol"))
    assert refused.status_code == 403
    assert "at other sites than metz" in refused.text
    for act in ("token", "retire"):
        assert ada.get(f"/devices/gate-1/{act}").status_code == 404
        form = {"reason": "x", "hours": "24"} | csrf(ada, "/enrol")
        assert ada.post(f"/devices/gate-1/{act}", data=form).status_code == 404
    assert actions(hub) == []
    assert (
        ada.post("/enrol", data=FORM | {"site": "lyon", "zone": ""} | csrf(ada, "/enrol")).status_code == 200
    )


def test_lists_and_search_name_nothing_of_another_site(enter: Enter, hub: Hub, rollout: str) -> None:
    metz(hub)
    eva = enter("eva", "viewer@metz").client
    assert "gate-1" in eva.get("/devices").text
    for path in ("/", "/devices", "/devices?site=lyon", "/search/hits?text=cell", "/search/hits?text=pump"):
        text = eva.get(path).text
        assert "cell-" not in text, path
        assert "pump-" not in text, path
    assert "Nothing has a name" in eva.get("/search/hits?text=lyon").text
    assert "Nothing has a name" in eva.get(f"/search/hits?text={rollout}").text


def test_who_only_looks_is_offered_no_act_and_refused_each(enter: Enter, hub: Hub, rollout: str) -> None:
    eva = enter("eva", "viewer").client
    for path in ("/devices", "/devices/cell-1"):
        text = eva.get(path).text
        assert "Enrol a device" not in text
        assert "Retire…" not in text
    for path in ("/enrol", "/devices/cell-1/token", "/devices/cell-1/retire"):
        assert eva.get(path).status_code == 403
    assert actions(hub) == []


def test_a_retirement_typed_in_an_ended_session_comes_back_and_is_not_done(
    enter: Enter, hub: Hub, rollout: str
) -> None:
    ada = enter("ada", "operator").client
    path = "/devices/cell-1/retire"
    old = ada.post(path, data={"csrf": "of an earlier session", "reason": "scrapped"})
    assert old.status_code == 403
    assert 'value="scrapped"' in old.text
    assert "nothing was done" in old.text
    assert actions(hub) == []


def metz(hub: Hub) -> None:
    """A second site with a device."""
    with hub.database.transaction() as connection:
        connection.execute("INSERT INTO site (name) VALUES ('metz')")
        connection.execute(
            """INSERT INTO device (name, site, profile, added, enrolled, online)
               SELECT 'gate-1', id, 'generic', %(now)s, %(now)s, true FROM site WHERE name = 'metz'""",
            {"now": hub.clock.now()},
        )
