"""Sessions begin under a secret nobody chose and end; guessing is not heard, and locks nobody out."""

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cloud_hub.config import HubConfig
from cloud_hub.console.app import create_app
from cloud_hub.console.live import LOOK_EVERY, _while_let_in
from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.hub import Hub
from cloud_hub.identity.people.login import Attempt, Login
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords
from cloud_hub.identity.people.permissions import Grant, Permission
from tests.console.conftest import Later
from tests.console.console_people import PASSWORD, Browser, sign_in, token

Enter = Callable[..., Browser]


def test_signing_in_gives_a_strict_cookie_under_a_secret_that_nobody_chose(app: Flask, enter: Enter) -> None:
    enter("mira", "viewer")
    client, name = app.test_client(), str(app.config["ANDON_COOKIE"])
    client.set_cookie(name, "planted-by-somebody-else")
    answer = sign_in(client, "mira")
    cookie = next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith(f"{name}="))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "planted" not in cookie
    assert client.get("/").status_code == 200


def test_a_session_somebody_knew_before_signing_in_again_opens_nothing(app: Flask, enter: Enter) -> None:
    browser = enter("mira", "viewer")
    before = browser.secret
    assert sign_in(browser.client, "mira").status_code == 303
    assert browser.secret != before
    thief = app.test_client()
    thief.set_cookie(browser.cookie, before)
    assert thief.get("/").status_code == 401


def test_a_changed_role_counts_at_once_and_gives_the_session_another_secret(
    app: Flask, enter: Enter, office: Office
) -> None:
    browser = enter("mira", "viewer")
    enter("root-of-all", "admin")
    before = browser.secret
    assert browser.client.get("/people").status_code == 403
    office.accounts.give("mira", Grant.parse("admin"), by="test")
    assert browser.client.get("/people").status_code == 200
    assert browser.secret != before
    thief = app.test_client()
    thief.set_cookie(browser.cookie, before)
    assert thief.get("/").status_code == 401
    assert browser.client.get("/").status_code == 200


def test_a_session_ends_when_nobody_uses_it_and_at_the_latest_after_a_shift(
    enter: Enter, later: Later
) -> None:
    client = enter("mira", "viewer").client
    for _ in range(13):
        later.ahead += timedelta(minutes=50)
        last = client.get("/").status_code
        client.get("/", headers={"HX-Request": "true"})
    assert last == 200  # 10 h 50 min, never idle for an hour
    later.ahead += timedelta(minutes=59)
    assert client.get("/", headers={"HX-Request": "true"}).status_code == 200
    assert client.get("/api/v1/machines/pump-1/live").status_code == 200  # so do its charts
    later.ahead += timedelta(minutes=2)  # a page that kept itself current was no person
    assert client.get("/").status_code == 401
    client = enter("mira").client
    for _ in range(14):
        later.ahead += timedelta(minutes=50)
        client.get("/")
    later.ahead += timedelta(minutes=30)
    assert client.get("/").status_code == 401  # 12 h 10 min


def test_signing_out_ends_the_session_and_everywhere_ends_all(app: Flask, enter: Enter) -> None:
    first, second, third = (enter("mira", "viewer") for _ in range(3))
    secret = first.secret
    assert first.post("/account", "/logout").status_code == 303
    thief = app.test_client()
    thief.set_cookie(first.cookie, secret)
    assert thief.get("/").status_code == 401
    assert second.client.get("/").status_code == 200
    assert second.post("/account", "/account/sign-out-everywhere").status_code == 303
    assert [each.client.get("/").status_code for each in (second, third)] == [401, 401]


def test_over_tls_cookies_are_secure_and_bound_to_the_host(
    hub: Hub, office: Office, config: HubConfig
) -> None:
    web = config.web.model_copy(update={"certificate": config.state_dir / "a", "key": config.state_dir / "b"})
    app = create_app(replace(hub, config=config.model_copy(update={"web": web})), office)
    client = app.test_client()
    office.accounts.add("mira", [Grant.parse("admin")], by="test")
    office.links.choose_password(office.links.invite("mira", by="test"), PASSWORD, office.passwords)
    form = {"name": "mira", "password": PASSWORD, "csrf": token(client, "https://localhost/login")}
    answer = client.post("https://localhost/login", data=form)
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2  # a session, and that mira was here
    for cookie in cookies:
        assert cookie.startswith("__Host-andon-")
        assert "Secure; HttpOnly; Path=/; SameSite=Strict" in cookie


def test_two_requests_at_once_after_a_changed_role_do_not_lose_the_session(
    enter: Enter, office: Office
) -> None:
    browser = enter("mira", "admin")
    session = office.sessions.find(browser.secret)
    assert session
    fresh = office.sessions.turn(session, browser.secret)
    assert fresh
    assert office.sessions.turn(session, browser.secret) is None
    assert office.sessions.find(fresh)


def test_an_open_page_hears_nothing_more_once_its_session_has_ended() -> None:
    there = iter([object(), None])
    told = list(_while_let_in(iter("news" * 100), lambda: next(there)))
    assert len(told) == 2 * LOOK_EVERY - 1


def test_who_is_disabled_is_out_at_once(enter: Enter, office: Office) -> None:
    enter("mira", "admin")
    browser = enter("noor", "operator")
    made = office.tokens.make("noor", "x", [Permission.SEE], days=7, by="noor")
    bearer = {"Authorization": f"Bearer {made}"}
    assert browser.client.get("/", headers=bearer).status_code == 200
    office.accounts.disable("noor", by="mira")
    assert browser.client.get("/").status_code == 401
    assert browser.client.get("/", headers=bearer).status_code == 401
    assert sign_in(browser.client, "noor").status_code == 401


def test_a_wrong_password_an_unknown_name_and_a_disabled_person_read_the_same(
    stranger: FlaskClient, enter: Enter, office: Office
) -> None:
    enter("mira", "admin")
    enter("noor", "viewer")
    office.accounts.disable("noor", by="mira")
    tries = (("mira", "wrong"), ("nobody-here", PASSWORD), ("noor", PASSWORD), ("", ""), ("<script>", "x"))
    pages = []
    for name, password in tries:
        answer = sign_in(stranger, name, password)
        assert answer.status_code == 401
        assert "<script>" not in answer.text.replace('<script type="module"', "")
        pages.append(re.search(r'role="alert">([^<]+)<', answer.text)[1])
    assert len(set(pages)) == 1


def test_guessing_is_soon_not_heard_and_locks_nobody_out_of_a_browser_of_theirs(
    app: Flask, stranger: FlaskClient, enter: Enter
) -> None:
    theirs = enter("mira", "viewer")
    answers = [sign_in(stranger, "mira", f"guess {number}").status_code for number in range(12)]
    assert answers == [401] * 8 + [429] * 4
    late = sign_in(stranger, "mira")  # the right password, from a browser that was never in
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) <= 30
    assert theirs.post("/account", "/logout").status_code == 303
    assert sign_in(theirs.client, "mira").status_code == 303
    forged = app.test_client()
    forged.set_cookie(f"{theirs.cookie}-known", "mark.0000")
    assert sign_in(forged, "mira").status_code == 429


def test_an_address_that_guesses_many_names_is_not_heard(stranger: FlaskClient) -> None:
    csrf = token(stranger, "/login")
    found = [
        stranger.post("/login", data={"csrf": csrf, "name": f"name-{number}", "password": "x"}).status_code
        for number in range(31)
    ]
    assert found == [401] * 30 + [429]


def test_a_name_that_many_addresses_guess_is_not_heard_from_a_new_one_either(
    app: Flask, enter: Enter
) -> None:
    """Nor do other names and what fits in between make the hub forget them."""
    enter("mira", "viewer")
    enter("lea", "viewer")
    told = []
    for number in range(12):
        stranger = app.test_client()
        form = {"csrf": token(stranger, "/login"), "name": "mira", "password": f"guess {number}"}
        from_there = {"REMOTE_ADDR": f"10.1.{number}.7"}
        told.append(stranger.post("/login", data=form, environ_base=from_there).status_code)
        if number % 4 == 0:
            assert sign_in(app.test_client(), "lea").status_code == 303
    assert told[0] == 401
    assert told[-3:] == [429] * 3


def test_a_session_opens_only_for_the_password_that_was_checked_and_for_who_is_not_disabled(
    enter: Enter, office: Office
) -> None:
    enter("root-of-all", "admin")
    enter("mira", "viewer")
    checked = office.login.attempt(Attempt(name="mira", password=PASSWORD, address="::1"))
    assert checked.person
    assert office.sessions.find(office.sessions.open(checked.person, checked=checked.checked))
    fresh = office.change_password("mira", PASSWORD, "another four words entirely", address="::1")
    with pytest.raises(TrustError, match="changed at the same moment"):
        office.sessions.open(checked.person, checked=checked.checked)
    with pytest.raises(ConflictError, match="another was set"):
        office.accounts.replace_password("mira", "a hash", checked=checked.checked)
    assert office.sessions.open(checked.person, checked=fresh.checked)
    office.accounts.disable("mira", by="root-of-all")
    with pytest.raises(TrustError, match="sign in again"):
        office.sessions.open(checked.person)


def test_a_password_that_is_kept_anew_does_not_undo_one_that_was_set_meanwhile(
    enter: Enter, office: Office, hub: Hub
) -> None:
    enter("mira", "viewer")
    reset = office.passwords.hash("another four words entirely")

    class Slow(Passwords):
        def hash(self, password: str) -> str:
            hub.database.execute("UPDATE person SET password_hash = %(hash)s", {"hash": reset})
            return super().hash(password)

    login = Login(hub.database, Slow(memory_kib=16, passes=1))
    outcome = login.attempt(Attempt(name="mira", password=PASSWORD, address="::1"))
    assert hub.database.row("SELECT password_hash FROM person") == {"password_hash": reset}
    with pytest.raises(TrustError):
        office.sessions.open(outcome.person or 0, checked=outcome.checked)


def test_of_many_guesses_at_once_no_more_are_checked_than_one_after_the_other(enter: Enter, hub: Hub) -> None:
    enter("mira", "viewer")
    begun, checked = threading.Barrier(12), []

    class Noted(Passwords):
        def fits(self, password: str, kept: str | None) -> bool:
            checked.append(password)
            time.sleep(0.05)  # as long as all take to be heard
            return super().fits(password, kept)

    login = Login(hub.database, Noted(memory_kib=8, passes=1))

    def guess(number: int) -> bool:
        begun.wait()
        return bool(login.attempt(Attempt(name="mira", password=f"guess {number}", address="::1")).wait_s)

    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(guess, range(12)))
    assert (len(checked), sum(waits)) == (8, 4)


def test_a_password_that_fits_is_not_counted(enter: Enter, hub: Hub, office: Office) -> None:
    enter("mira", "viewer")
    login = Login(hub.database, office.passwords)
    right = Attempt(name="mira", password=PASSWORD, address="::1")
    assert {login.attempt(right).wait_s for _ in range(40)} == {0.0}
