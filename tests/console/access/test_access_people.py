"""People, tokens and links at the console: made by who may, shown once, as text, and on the record."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.errors import TrustError
from cloud_hub.hub import Hub
from cloud_hub.identity.people.links import Purpose
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Grant, Permission, Role
from tests.console.console_people import PASSWORD, Browser, sign_in, token

Enter = Callable[..., Browser]
HOSTILE = "<script>alert(1)</script>\"'&"


def shown(text: str) -> str:
    """The secret that a page shows this once."""
    return unescape(re.search(r'<code class="secret">([^<]+)</code>', text)[1])


def choose(client: FlaskClient, path: str, **fields: str):
    """Fill in the form of a link."""
    form = {"csrf": token(client, path), "link": path.partition("link=")[2], "password": PASSWORD}
    return client.post("/open", data=form | {"password-again": PASSWORD} | fields)


def test_the_first_admin_is_made_in_the_browser_and_is_in(
    stranger: FlaskClient, office: Office, hub: Hub
) -> None:
    assert "Nobody administers this hub yet" in stranger.get("/").text
    path = f"/open?link={office.links.first_admin(terminal='root')}"
    for _ in range(3):
        assert stranger.get(path).status_code == 200  # what previews links uses none
    short = choose(stranger, path, name="mira", password="short", **{"password-again": "short"})
    assert short.status_code == 400
    assert 'value="mira"' in short.text
    assert "short" not in short.text
    assert choose(stranger, path, name="mira", **{"password-again": "another one"}).status_code == 400
    assert choose(stranger, path, name=HOSTILE).text.count("<script>alert") == 0
    assert choose(stranger, path, name="mira").headers["Location"] == "/"
    assert stranger.get("/people").status_code == 200
    assert "works once" in stranger.get(path).text
    row = hub.database.row("SELECT actor, action, detail FROM audit ORDER BY id DESC LIMIT 1")
    assert row
    assert (row["actor"], row["action"]) == ("mira", "person.add")
    assert PASSWORD not in str(row)


def test_a_link_that_is_none_opens_nothing(stranger: FlaskClient) -> None:
    for path in ("/open", "/open?link=", "/open?link=guess", "/open?key=old", f"/open?link={'x' * 5000}"):
        answer = stranger.get(path)
        assert answer.status_code == 403
        assert "not known here" in answer.text
    csrf = token(stranger, "/login")
    assert stranger.post("/open", data={"csrf": csrf, "link": "guess"}).status_code == 403
    assert stranger.get("/").status_code == 401


def test_a_demonstration_s_link_signs_in_once_and_over_loopback_alone(
    app: Flask, stranger: FlaskClient, office: Office
) -> None:
    office.accounts.add("demo", [Grant(Role.ADMIN)], by="root")
    path = f"/open?link={office.links.invite('demo', by='root', purpose=Purpose.SIGN_IN)}"
    page = stranger.get(path)
    assert "enter.js" in page.text
    form = {"csrf": token(stranger, path), "link": path.partition("=")[2]}
    away = stranger.post("/open", data=form, environ_base={"REMOTE_ADDR": "10.1.2.3"})
    assert away.status_code == 403
    assert stranger.get("/").status_code == 401
    assert stranger.post("/open", data=form).headers["Location"] == "/"
    assert stranger.get("/").status_code == 200
    assert "works once" in app.test_client().get(path).text


def test_an_admin_adds_somebody_who_chooses_a_password_and_is_taken_roles_again(
    app: Flask, enter: Enter, hub: Hub, office: Office
) -> None:
    admin = enter("mira", "admin")
    added = admin.post("/people", "/people", name="noor", role="operator", at="@lyon")
    path = shown(added.text).partition("localhost")[2]
    guest = app.test_client()
    assert choose(guest, path).status_code == 303
    assert guest.get("/machines/pump-1").status_code == 200
    assert guest.get("/people").status_code == 403
    assert admin.post("/people", "/people/noor/take", role="operator@lyon").status_code == 303
    assert guest.get("/machines/pump-1").status_code == 404
    assert admin.post("/people", "/people/noor/give", role="viewer").status_code == 303
    assert guest.get("/machines/pump-5").status_code == 200
    assert admin.post("/people", "/people/noor/sign-out").status_code == 303
    assert guest.get("/").status_code == 401
    assert sign_in(guest, "noor").status_code == 303
    assert admin.post("/people", "/people/noor/disable").status_code == 303
    assert guest.get("/").status_code == 401
    told = hub.database.rows("SELECT actor, action FROM audit WHERE subject = 'noor' ORDER BY id")
    assert [(row["actor"], row["action"]) for row in told] == [
        ("mira", "person.add"),
        ("mira", "person.link"),
        ("noor", "person.password"),
        ("mira", "person.role"),
        ("mira", "person.role"),
        ("mira", "person.sign-out"),
        ("mira", "person.disable"),
    ]


def test_what_cannot_be_done_to_people_is_said_in_words(enter: Enter) -> None:
    admin = enter("mira", "admin")
    tries = (
        ("/people", {"name": "mira", "role": "viewer"}, 400, "somebody named mira already"),
        ("/people", {"name": HOSTILE, "role": "viewer"}, 400, "small letters"),
        ("/people", {"name": "noor", "role": "boss"}, 400, "expected ROLE"),
        ("/people", {"name": "noor", "role": "viewer", "at": "@atlantis"}, 400, "no site named"),
        ("/people/mira/disable", {}, 409, "nobody would be left"),
        ("/people/mira/take", {"role": "admin"}, 409, "nobody would be left"),
        ("/people/nobody/reset", {}, 404, "no person named"),
        ("/people/mira/explode", {}, 404, "no such page"),
    )
    for path, fields, status, words in tries:
        answer = admin.post("/people", path, **fields)
        assert answer.status_code == status, path
        assert words in answer.text
        assert "<script>alert" not in answer.text


def test_a_token_is_shown_once_and_does_what_its_scopes_say(app: Flask, enter: Enter, rollout: str) -> None:
    browser = enter("mira", "admin")
    made = browser.post("/account", "/account/tokens", name="prometheus", scope=["see", "metrics"], days="30")
    secret = shown(made.text)
    page = browser.client.get("/account").text
    assert "prometheus" in page
    assert secret not in page
    program, bearer = app.test_client(), {"Authorization": f"Bearer {secret}"}
    metrics = program.get("/metrics", headers=bearer)
    assert metrics.status_code == 200
    assert "andon_devices 3.0" in metrics.text
    assert program.get("/api/v1/machines/pump-1/series", headers=bearer).status_code == 200
    for path in ("/people", "/account", "/models/motor-health/2/what-if"):
        answer = program.get(path, headers=bearer)
        assert (answer.status_code, set(answer.json)) == (403, {"error"})
    act = program.post(f"/rollouts/{rollout}/pause", headers=bearer, data={"reason": "x"})
    assert act.status_code == 403
    assert browser.post("/account", "/account/tokens/revoke", token="prometheus").status_code == 303
    assert program.get("/metrics", headers=bearer).status_code == 401


def test_a_token_acts_without_a_form_in_its_person_s_name(
    app: Flask, enter: Enter, hub: Hub, rollout: str
) -> None:
    browser = enter("mira", "operator")
    made = browser.post("/account", "/account/tokens", name="bot", scope=["rollout.pause"], days="7")
    bearer = {"Authorization": f"Bearer {shown(made.text)}"}
    answer = app.test_client().post(f"/rollouts/{rollout}/pause", headers=bearer, data={"reason": "x"})
    assert answer.status_code == 404  # it may not see: what it pauses it has to be able to look at
    made = browser.post("/account", "/account/tokens", name="b2", scope=["see", "rollout.pause"], days="7")
    bearer = {"Authorization": f"Bearer {shown(made.text)}"}
    answer = app.test_client().post(f"/rollouts/{rollout}/pause", headers=bearer, data={"reason": "x"})
    assert answer.status_code == 303
    row = hub.database.row("SELECT actor FROM audit WHERE action = 'rollout.pause' ORDER BY id DESC LIMIT 1")
    assert row == {"actor": "mira"}


@pytest.mark.parametrize("header", ["Bearer x", "Bearer ", "bearer andon_x", "Bearer andon_" + "x" * 5000])
def test_what_is_no_token_opens_nothing_even_beside_a_session(enter: Enter, header: str) -> None:
    client = enter("mira", "admin").client
    answer = client.get("/metrics", headers={"Authorization": header})
    assert answer.status_code == 401


def test_what_a_proxy_in_front_authorises_by_is_its_own_affair(enter: Enter, stranger: FlaskClient) -> None:
    proxy = {"Authorization": "Basic eDp5"}
    assert enter("mira", "admin").client.get("/people", headers=proxy).status_code == 200
    assert "Sign in" in stranger.get("/people", headers=proxy).text


def test_a_password_is_changed_by_who_knows_it_and_ends_other_sessions(app: Flask, enter: Enter) -> None:
    here, elsewhere = enter("mira", "viewer"), enter("mira", "viewer")
    fresh = "another four words entirely"
    form = {"password": fresh, "password-again": fresh}
    wrong = here.post("/account", "/account/password", **form, **{"password-now": "guess"})
    assert wrong.status_code == 400
    assert here.post("/account", "/account/password", **form, **{"password-now": PASSWORD}).status_code == 303
    assert (here.client.get("/").status_code, elsewhere.client.get("/").status_code) == (200, 401)
    assert sign_in(app.test_client(), "mira").status_code == 401
    assert sign_in(app.test_client(), "mira", fresh).status_code == 303


def test_an_old_form_of_the_account_keeps_what_was_typed(enter: Enter) -> None:
    answer = enter("mira", "admin").client.post("/account/tokens", data={"csrf": "old", "name": "my token"})
    assert answer.status_code == 403
    assert 'value="my token"' in answer.text
    answer = enter("mira").client.post("/people", data={"csrf": "old", "name": "noor", "role": "viewer"})
    assert answer.status_code == 403
    assert 'value="noor"' in answer.text


def four_eyes(hub: Hub, started_by: str) -> None:
    hub.database.execute(
        """UPDATE rollout SET state = 'awaiting', approvals = '{2}', created_by = %(by)s,
                  plan = plan || '{"four_eyes": true, "approve_before": [2]}'""",
        {"by": started_by},
    )


def test_four_eyes_are_two_people_whichever_name_each_acts_by(
    enter: Enter, hub: Hub, office: Office, rollout: str
) -> None:
    mira, lea = enter("mira", "admin"), enter("lea", "approver")
    path = f"/rollouts/{rollout}"
    four_eyes(hub, "mira")
    assert "wants four eyes" in mira.post(path, f"{path}/approve").text
    four_eyes(hub, "root")  # at the terminal, and nobody said whose account that is
    answer = lea.post(path, f"{path}/approve")
    assert answer.status_code == 409
    assert "andon hub person terminal NAME root" in answer.text
    office.accounts.link_terminal("mira", "root", by="mira")
    answer = mira.post(path, f"{path}/approve")
    assert answer.status_code == 409
    assert "mira started it" in unescape(answer.text)
    assert lea.post(path, f"{path}/approve").status_code == 303
    assert hub.database.row("SELECT state FROM rollout") == {"state": "running"}


def test_another_password_and_being_disabled_end_tokens_and_open_links_for_good(
    enter: Enter, office: Office
) -> None:
    enter("mira", "admin")
    browser = enter("tess", "operator")

    def ways_in(name: str) -> tuple[str, str, str]:
        sign_in_link = office.links.invite("tess", by="mira", purpose=Purpose.SIGN_IN)
        password_link = office.links.invite("tess", by="mira")
        return (
            office.tokens.make("tess", name, [Permission.SEE], days=7, by="tess"),
            sign_in_link,
            password_link,
        )

    def check_ended(token: str, *links: str) -> None:
        assert office.tokens.find(token) is None
        for link in links:
            with pytest.raises(TrustError, match="not known here"):
                office.links.look(link)

    first = ways_in("first")
    fresh = "another four words entirely"
    form = {"password": fresh, "password-again": fresh, "password-now": PASSWORD}
    assert browser.post("/account", "/account/password", **form).status_code == 303
    assert (
        "every other session, token and open link of yours has ended" in browser.client.get("/account").text
    )
    check_ended(*first)
    token, sign_in_link, used = ways_in("second")
    office.links.choose_password(used, PASSWORD, office.passwords)
    check_ended(token, sign_in_link)
    third = ways_in("third")
    office.accounts.disable("tess", by="mira")
    office.accounts.enable("tess", by="mira")
    check_ended(*third)
