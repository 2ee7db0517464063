"""A person's no is kept with the reason, and is the last word on a model: nobody approves it or rolls it out."""

from collections.abc import Iterator

import pytest

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.publish import publish
from cloud_hub.flows.refusing import LONGEST_REASON, refuse
from cloud_hub.flows.release import approve
from cloud_hub.hub import Hub
from tests.rollout_world import USE_CASE, World, plan

RELEASE = f"{USE_CASE}/1"


@pytest.fixture
def world(hub: Hub) -> Iterator[World]:
    """A candidate of that name, which the gate has let pass."""
    made = World(hub.config.database_url)
    made.add_release(1, state="candidate", gate={"passed": True, "reason": "good"})
    made.database.execute("INSERT INTO alias VALUES (%(use_case)s, 'candidate', 1)", {"use_case": USE_CASE})
    yield made
    made.close()


def state(world: World) -> str:
    row = world.database.row("SELECT state FROM model")
    assert row
    return str(row["state"])


def test_what_is_refused_is_approved_by_nobody_whatever_they_say(hub: Hub, world: World) -> None:
    found = refuse(hub, RELEASE, person="bob", reason=" it  learnt from\na broken sensor ")
    assert (found.new, found.reason) == (True, "it learnt from a broken sensor")
    assert state(world) == "refused"
    for override in ("", "I know better"):
        with pytest.raises(ConflictError, match=r"bob refused motor-health/1 on .*: it learnt from a broken"):
            approve(hub, RELEASE, person="ada", override=override)
    assert state(world) == "refused"
    assert world.database.rows("SELECT * FROM approval") == []
    assert world.database.rows("SELECT * FROM alias") == [], "it is nobody's candidate any more"
    act = world.database.row("SELECT actor, subject, detail, correlation FROM audit")
    assert act
    assert (act["actor"], act["subject"], act["correlation"]) == ("bob", RELEASE, "trace-1")
    assert (act["detail"]["reason"], act["detail"]["was"]) == (found.reason, "candidate")


def test_refusing_twice_changes_nothing_and_says_who_was_first(hub: Hub, world: World) -> None:
    first = refuse(hub, RELEASE, person="bob", reason="a broken sensor")
    again = refuse(hub, RELEASE, person="ada", reason="I do not like it")
    assert (again.new, again.person, again.reason) == (False, "bob", "a broken sensor")
    assert again.refused == first.refused
    assert world.actions() == ["release.refuse"]


def test_the_gates_no_is_made_final_by_a_persons(hub: Hub, world: World) -> None:
    world.database.execute("UPDATE model SET state = 'refused', gate = '{\"passed\": false}'")
    refuse(hub, RELEASE, person="bob", reason="never")
    with pytest.raises(ConflictError, match="bob refused"):
        approve(hub, RELEASE, person="ada", override="a drill")


def test_a_no_comes_in_time_until_it_is_published(hub: Hub, world: World) -> None:
    assert approve(hub, RELEASE, person="ada").enough
    refuse(hub, RELEASE, person="bob", reason="wait, no")
    with pytest.raises(ConflictError, match="expected motor-health/1 to be approved, it is refused"):
        publish(hub, RELEASE)
    world.add_devices("cell-1")
    with pytest.raises(ConflictError, match=r"is refused: `andon model show motor-health/1` says why"):
        world.rollouts.start(plan(RELEASE, ("100%",)), actor="ada")


def test_what_is_released_is_not_refused_but_taken_back_by_its_rollouts(hub: Hub, world: World) -> None:
    world.add_release(2)
    with pytest.raises(ConflictError, match="abort or undo its rollouts"):
        refuse(hub, f"{USE_CASE}/2", person="bob", reason="too late")
    assert world.database.rows("SELECT * FROM refusal") == []
    assert world.actions() == []


@pytest.mark.parametrize("reason", ["", " \n ", "x" * (LONGEST_REASON + 1)])
def test_a_reason_that_says_nothing_or_too_much_refuses_nothing(hub: Hub, world: World, reason: str) -> None:
    with pytest.raises(ConflictError, match="expected a reason"):
        refuse(hub, RELEASE, person="bob", reason=reason)
    assert (state(world), world.actions()) == ("candidate", [])


def test_what_is_not_there_cannot_be_refused(hub: Hub, world: World) -> None:
    with pytest.raises(NotFoundError, match="no release named 'motor-health/9'"):
        refuse(hub, f"{USE_CASE}/9", person="bob", reason="whatever")
