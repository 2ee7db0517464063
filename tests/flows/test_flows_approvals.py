"""An approval is kept with who gave it; publishing waits until there are enough."""

from importlib import resources

import pytest
from rollout_world import USE_CASE, World

from cloud_hub.errors import ConflictError, GateError, NotFoundError
from cloud_hub.flows.approving import outlook
from cloud_hub.flows.release import approve
from cloud_hub.identity.people.office import Office

RELEASE = f"{USE_CASE}/1"


@pytest.fixture
def world(hub):
    """A candidate that ada asked for; its use case wants two people, and not its author alone."""
    made = World(hub.config.database_url)
    made.add_release(1, state="candidate", gate={"passed": True, "reason": "good"})
    with made.database.transaction() as connection:
        act = {"action": "retrain.request", "subject": "run-1", "detail": {}, "correlation": "trace-1"}
        made.record(connection, actor="ada", **act)
    declare(hub, "people = 2\nauthor_may = false")
    yield made
    made.close()


def declare(hub, approval):
    text = (resources.files("models") / "use_cases" / f"{USE_CASE}.toml").read_text()
    text = text.replace('admitted = "canary"', 'admitted = "wait"')
    hub.config.use_cases.mkdir(exist_ok=True)
    (hub.config.use_cases / f"{USE_CASE}.toml").write_text(f"{text}\n[approval]\n{approval}\n")


def state(world):
    return world.database.row("SELECT state FROM model")["state"]


def queued(world):
    return world.database.row("SELECT count(*) AS number FROM procrastinate_jobs")["number"]


def test_a_release_waits_for_its_second_person_and_the_same_twice_is_one(hub, world):
    assert approve(hub, RELEASE, person="ada").missing == "1 more person has to approve it (1 of 2)"
    assert not approve(hub, RELEASE, person="ada").enough
    assert (state(world), queued(world)) == ("candidate", 0)
    assert approve(hub, RELEASE, person="bob").enough
    assert (state(world), queued(world)) == ("approved", 1)
    assert world.actions() == ["retrain.request", "release.approve", "release.approve"]
    assert approve(hub, RELEASE, person="ada").voices == ("ada", "bob")


def test_what_a_yes_would_do_is_told_before_it_is_given_and_changes_nothing(hub, world):
    ahead = outlook(hub, RELEASE, person="ada")
    assert (ahead.now.missing, ahead.is_author) == ("2 more people have to approve it (0 of 2)", True)
    assert (state(world), world.actions()) == ("candidate", ["retrain.request"])
    assert approve(hub, RELEASE, person="ada") == ahead.then
    assert outlook(hub, RELEASE, person="ada").said
    ahead = outlook(hub, RELEASE, person="bob")
    assert (ahead.said, ahead.is_author, ahead.author) == (False, False, "ada")
    assert approve(hub, RELEASE, person="bob") == ahead.then
    with pytest.raises(NotFoundError):
        outlook(hub, f"{USE_CASE}/9", person="bob")


def test_whoever_asked_for_the_training_may_not_approve_it_alone(hub, world):
    declare(hub, "people = 1\nauthor_may = false")
    assert "ada asked for the training" in approve(hub, RELEASE, person="ada").missing
    assert state(world) == "candidate"
    assert approve(hub, RELEASE, person="bob").enough


def test_each_person_says_why_against_the_gate(hub, world):
    world.database.execute("UPDATE model SET state = 'refused'")
    assert not approve(hub, RELEASE, person="ada", override="a drill").enough
    with pytest.raises(GateError, match="say why"):
        approve(hub, RELEASE, person="bob")
    assert state(world) == "refused"
    assert approve(hub, RELEASE, person="bob", override="I was there").enough
    rows = world.database.rows("SELECT person, override FROM approval ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [("ada", "a drill"), ("bob", "I was there")]


def test_a_rule_that_was_relaxed_lets_those_through_who_said_yes_before(hub, world):
    approve(hub, RELEASE, person="bob")
    declare(hub, "people = 1")
    assert approve(hub, RELEASE, person="bob").enough
    assert state(world) == "approved"


def test_one_person_is_one_voice_at_the_console_and_at_the_terminal(hub, world):
    accounts = Office.of(hub.database, hub.config.web, record=hub.record).accounts
    for name in ("ada", "bob", "mira"):
        accounts.add(name, [], by="root")
    with pytest.raises(
        ConflictError, match="nobody knows whose root is: `andon hub person terminal NAME root`"
    ):
        approve(hub, RELEASE, person="root")
    assert "nobody knows whose root is" in outlook(hub, RELEASE, person="root").hindrance
    assert not approve(hub, RELEASE, person="mira").enough
    assert outlook(hub, RELEASE, person="mira").hindrance == ""
    accounts.link_terminal("mira", "root", by="root")
    assert approve(hub, RELEASE, person="root").voices == ("mira",)
    assert state(world) == "candidate"
    accounts.unlink_terminal("mira", "root", by="root")
    accounts.link_terminal("bob", "root", by="root")
    assert approve(hub, RELEASE, person="root").enough
