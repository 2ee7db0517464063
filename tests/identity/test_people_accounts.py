"""Accounts, links, tokens and passwords of people, at a real database."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.hub import Hub, assemble, person
from cloud_hub.identity.people.bearer import PREFIX
from cloud_hub.identity.people.cli import person_app
from cloud_hub.identity.people.links import Purpose
from cloud_hub.identity.people.login import Attempt, Login
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.passwords import Passwords, check
from cloud_hub.identity.people.permissions import Grant, Permission, Role

PASSWORD = "correct horse battery staple"
QUICK = Passwords(memory_kib=8, passes=1)
ADMIN, VIEWER = Grant(Role.ADMIN), Grant(Role.VIEWER)


class Later:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    config = HubConfig(state_dir=tmp_path, database_url=database)
    with config.database() as opened:
        yield assemble(config, opened, config.time())


@pytest.fixture
def office(hub: Hub, later: Later) -> Office:
    return Office.of(hub.database, hub.config.web, record=hub.record, now=later, passwords=QUICK)


def actions(hub: Hub) -> list[tuple[str, str, str]]:
    rows = hub.database.rows("SELECT actor, action, subject FROM audit ORDER BY id")
    return [(row["actor"], row["action"], row["subject"]) for row in rows]


def test_the_first_admin_comes_by_a_link_that_works_once(office: Office, hub: Hub, later: Later) -> None:
    assert not office.accounts.has_admin()
    replaced, secret = (office.links.first_admin(terminal="root") for _ in range(2))
    with pytest.raises(TrustError, match="newer one"):
        office.links.make_first_admin(replaced, "mira", PASSWORD, QUICK)
    with pytest.raises(ConflictError, match="12 to 256 characters, got 5"):
        office.links.make_first_admin(secret, "mira", "short", QUICK)
    office.links.make_first_admin(secret, "mira", PASSWORD, QUICK)
    (mira,) = office.accounts.everyone()
    assert (mira.name, mira.grants, mira.terminals, mira.has_password) == ("mira", (ADMIN,), ("root",), True)
    with pytest.raises(TrustError, match="works once"):
        office.links.make_first_admin(secret, "eve", PASSWORD, QUICK)
    another = office.links.first_admin(terminal="root")
    with pytest.raises(TrustError, match="has an admin, mira"):
        office.links.make_first_admin(another, "eve", PASSWORD, QUICK)
    assert actions(hub) == [("mira", "person.add", "mira")]
    assert office.login.attempt(Attempt(name="mira", password=PASSWORD, address="::1")).person == mira.id


def test_links_expire_are_for_one_purpose_and_for_nobody_who_is_disabled(
    office: Office, later: Later
) -> None:
    office.accounts.add("mira", [ADMIN], by="root")
    office.accounts.add("noor", [VIEWER], by="root")
    chosen = office.links.invite("noor", by="mira")
    with pytest.raises(TrustError, match="expected a link for sign-in, got one for password"):
        office.links.sign_in(chosen)
    with pytest.raises(TrustError, match="expected a link for first-admin, got one for password"):
        office.links.make_first_admin(chosen, "eve", PASSWORD, QUICK)
    later.ahead = timedelta(hours=25)
    with pytest.raises(TrustError, match="expired"):
        office.links.choose_password(chosen, PASSWORD, QUICK)
    later.ahead = timedelta()
    office.accounts.disable("noor", by="mira")
    with pytest.raises(TrustError, match="not known here"):
        office.links.look(chosen)
    with pytest.raises(ConflictError, match="person enable noor"):
        office.links.invite("noor", by="mira")
    with pytest.raises(TrustError, match="not known here"):
        office.links.look("guess")


def test_somebody_is_always_left_who_lets_others_in(office: Office) -> None:
    office.accounts.add("mira", [ADMIN], by="root")
    office.accounts.add("lea", [VIEWER], by="root")
    for undo in (
        lambda: office.accounts.disable("mira", by="mira"),
        lambda: office.accounts.take("mira", ADMIN, by="mira"),
    ):
        with pytest.raises(ConflictError, match="nobody would be left"):
            undo()
    office.accounts.give("lea", ADMIN, by="mira")
    office.accounts.take("mira", ADMIN, by="lea")
    assert office.accounts.get("mira").grants == ()


def test_what_could_be_taken_for_another_actor_is_no_name(office: Office) -> None:
    odd = (
        "",
        "a",
        "Mira",
        "mira lea",
        "job:x",
        "1mira",
        "a" * 33,
        "hub",
        "console",
        "<b>",
        "m\u00efra",
        "a\n",
    )
    for name in odd:
        with pytest.raises(ConflictError, match="expected a name of 2 to 32 small letters"):
            office.accounts.add(name, [], by="root")


def test_a_word_in_the_audit_chain_means_one_person(office: Office) -> None:
    office.accounts.add("mira", [ADMIN], by="root", terminal="root")
    office.accounts.add("lea", [VIEWER], by="root")
    for add in (
        lambda: office.accounts.add("mira", [], by="root"),
        lambda: office.accounts.add("root", [], by="root"),
        lambda: office.accounts.link_terminal("lea", "root", by="root"),
        lambda: office.accounts.link_terminal("lea", "mira", by="root"),
        lambda: office.accounts.link_terminal("lea", "a\nb", by="root"),
    ):
        with pytest.raises(ConflictError):
            add()
    office.accounts.link_terminal("lea", "lea", by="root")
    office.accounts.unlink_terminal("mira", "root", by="root")
    office.accounts.link_terminal("lea", "root", by="root")
    assert office.accounts.get("lea").terminals == ("lea", "root")


def test_a_role_at_a_site_or_of_a_person_that_is_not_there_is_named(office: Office) -> None:
    office.accounts.add("mira", [ADMIN], by="root")
    with pytest.raises(NotFoundError, match="no site named 'atlantis'"):
        office.accounts.give("mira", Grant(Role.VIEWER, "atlantis"), by="root")
    with pytest.raises(NotFoundError, match="no person named 'nobody'"):
        office.accounts.give("nobody", VIEWER, by="root")


def test_a_token_is_kept_as_a_hash_ends_in_time_and_when_it_is_revoked(
    office: Office, hub: Hub, later: Later
) -> None:
    office.accounts.add("mira", [Grant(Role.OPERATOR)], by="root")
    secret = office.tokens.make("mira", "prometheus", [Permission.METRICS], days=7, by="mira")
    assert secret.startswith(PREFIX)
    dump = json.dumps(hub.database.rows("SELECT * FROM api_token"), default=str)
    assert secret not in dump
    assert office.tokens.of("mira")[0].seen is None
    name, rights = office.tokens.find(secret) or ("", None)
    assert name == "mira"
    assert rights
    assert (rights.may(Permission.METRICS), rights.may(Permission.SEE)) == (True, False)
    assert office.tokens.of("mira")[0].seen is not None
    later.ahead = timedelta(days=8)
    assert office.tokens.find(secret) is None
    later.ahead = timedelta()
    office.tokens.revoke("mira", "prometheus", by="mira")
    assert office.tokens.find(secret) is None
    with pytest.raises(ConflictError, match="no token named 'prometheus' that is in force"):
        office.tokens.revoke("mira", "prometheus", by="mira")
    told = [action for _, action, _ in actions(hub)]
    assert told[1:] == ["token.make", "token.revoke"]


BEYOND = (
    ("x", [], 7, "at least one scope"),
    ("", [Permission.SEE], 7, "expected a name"),
    ("<b>", [Permission.SEE], 7, "expected a name"),
    ("x", [Permission.SEE], 0, "1 to 366 days, got 0"),
    ("x", [Permission.SEE], 4000, "1 to 366 days, got 4000"),
    ("x", [Permission.TRAIN], 7, "train is none of them"),
    ("x", [Permission.PEOPLE], 7, "people is none of them"),
    ("x", [Permission.ACCOUNT], 7, "account is none of them"),
)


def test_a_token_beyond_its_person_is_not_made(office: Office) -> None:
    office.accounts.add("mira", [Grant(Role.OPERATOR)], by="root")
    for name, scopes, days, why in BEYOND:
        with pytest.raises(ConflictError, match=why):
            office.tokens.make("mira", name, scopes, days=days, by="mira")


def test_a_token_loses_what_its_person_loses(office: Office) -> None:
    office.accounts.add("mira", [ADMIN], by="root")
    office.accounts.add("lea", [Grant(Role.OPERATOR)], by="root")
    secret = office.tokens.make("lea", "x", [Permission.STEER, Permission.SEE], days=7, by="lea")
    office.accounts.take("lea", Grant(Role.OPERATOR), by="mira")
    office.accounts.give("lea", VIEWER, by="mira")
    _, rights = office.tokens.find(secret) or ("", None)
    assert rights
    assert (rights.may(Permission.STEER), rights.may(Permission.SEE)) == (False, True)


def test_waiting_helps_whoever_was_not_heard(hub: Hub) -> None:
    clock = [0.0]
    office = Office.of(hub.database, hub.config.web, record=hub.record, passwords=QUICK)
    login = Login(hub.database, QUICK, monotonic=lambda: clock[0])
    office.accounts.add("mira", [ADMIN], by="root")
    office.links.choose_password(office.links.invite("mira", by="root"), PASSWORD, QUICK)
    tried = [
        login.attempt(Attempt(name="MIRA" if number % 2 else "mira", password="x", address="10.0.0.1"))
        for number in range(20)
    ]
    assert [outcome.wait_s > 0 for outcome in tried] == [False] * 8 + [True] * 12
    clock[0] += tried[-1].wait_s + 0.01
    assert login.attempt(Attempt(name="mira", password=PASSWORD, address="10.0.0.1")).person


def test_a_password_is_kept_by_argon2id_and_again_when_the_parameters_grow(hub: Hub) -> None:
    office = Office.of(hub.database, hub.config.web, record=hub.record, passwords=QUICK)
    office.accounts.add("mira", [ADMIN], by="root")
    office.links.choose_password(office.links.invite("mira", by="root"), PASSWORD, QUICK)
    grown = Office.of(hub.database, hub.config.web, record=hub.record)
    assert grown.login.attempt(Attempt(name="mira", password=PASSWORD, address="::1")).person
    row = hub.database.row("SELECT password_hash FROM person")
    assert row
    assert row["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert PASSWORD not in row["password_hash"]


def test_a_name_nobody_has_takes_as_long_as_one_somebody_has() -> None:
    quick, calls = Passwords(memory_kib=8, passes=1), []
    hasher = quick._hasher
    kept = quick.hash(PASSWORD)
    quick.fits("", kept)  # makes once what strangers are checked against
    quick._hasher = Counting(hasher, calls)
    assert quick.fits(PASSWORD, kept)
    assert not quick.fits(PASSWORD, None)
    assert not quick.fits("wrong", kept)
    assert not quick.fits("nobody's", None)
    assert [call.split("$")[3] for call in calls] == [kept.split("$")[3]] * 4  # as much work each time


class Counting:
    """An argon2 hasher that notes what it was asked to verify against."""

    def __init__(self, hasher: object, calls: list[str]) -> None:
        self._hasher = hasher
        self._calls = calls

    def verify(self, kept: str, password: str) -> bool:
        self._calls.append(kept)
        return self._hasher.verify(kept, password)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "12 to 256"),
        ("x" * 257, "got 257"),
        ("ababababababab", "5 different"),
        ("Mira-is-the-best", "person's name"),
        ("", "got 0"),
    ],
)
def test_a_password_that_would_be_guessed_is_refused_and_never_repeated(password: str, why: str) -> None:
    with pytest.raises(ConflictError, match=why) as raised:
        check(password, name="mira")
    assert not password or password not in str(raised.value)


def test_the_same_characters_typed_otherwise_are_the_same_password() -> None:
    assert QUICK.fits("cafe\u0301 cafe\u0301 cafe\u0301", QUICK.hash("caf\u00e9 caf\u00e9 caf\u00e9"))


def test_people_are_kept_at_the_command_line(hub: Hub, database: str) -> None:
    file = hub.config.state_dir / "hub.toml"
    file.write_text(
        f"state_dir = {json.dumps(str(hub.config.state_dir))}\ndatabase_url = {json.dumps(database)}\n"
    )

    def andon(*arguments: str) -> str:
        done = CliRunner().invoke(person_app, [*arguments, "--config", str(file)])
        return str(done.exception) if done.exception else done.stdout

    link = json.loads(andon("add", "mira", "--role", "admin", "--json"))["link"]
    assert link.startswith("http://127.0.0.1:")
    office = Office.of(hub.database, hub.config.web, record=hub.record, passwords=QUICK)
    office.links.choose_password(link.partition("link=")[2], PASSWORD, QUICK)
    assert andon("role", "mira", "--give", "operator") == "mira: admin, operator\n"
    assert "expected ROLE or ROLE@SITE" in andon("role", "mira", "--give", "boss")
    assert "is the voice of mira" in andon("terminal", "mira", person())
    (found,) = json.loads(andon("list", "--json"))
    assert (found["name"], found["grants"], found["terminals"]) == ("mira", ["admin", "operator"], [person()])
    secret = andon("token", "mira", "prometheus", "--scope", "metrics").strip()
    assert office.tokens.find(secret)
    assert re.search(r"prometheus +ends \d{4}-\d\d-\d\d +used .* metrics", andon("token", "mira"))
    assert "opens nothing any more" in andon("token", "mira", "prometheus", "--revoke")
    assert office.tokens.find(secret) is None
    assert "nobody would be left" in andon("disable", "mira")


def test_a_sign_in_link_is_used_once(office: Office) -> None:
    office.accounts.add("demo", [ADMIN], by="root")
    secret = office.links.invite("demo", by="root", purpose=Purpose.SIGN_IN)
    assert office.links.sign_in(secret).name == "demo"
    with pytest.raises(TrustError, match="works once"):
        office.links.sign_in(secret)
