"""Devices that come late, come back, leave, change their key or stay as they are while a rollout runs."""

import threading

import pytest
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.champion import set_champion
from cloud_hub.rollout.engine import Engine
from cloud_hub.rollout.plan import Late, PlanError, Silent

NAMES = ("edge-1", "edge-2", "edge-3")


@pytest.fixture
def fleet(world: World) -> World:
    world.add_devices(*NAMES)
    world.add_release(1)
    return world


def start(world: World, *arguments, **changes) -> str:
    rollout = world.rollouts.start(plan(*arguments, **changes), actor="ada")
    world.engine.step_all()
    return rollout


def finish(world: World, rollout: str) -> None:
    for _ in range(9):
        for name, state in world.standings(rollout).items():
            if state == "offered":
                world.commit(name)
        world.engine.step_all()
        if world.state(rollout) != "running":
            return
    raise AssertionError(f"{rollout} does not end: {world.reason(rollout)}")


def test_a_device_that_is_enrolled_while_a_rollout_runs_joins_its_last_wave(fleet):
    """hawkbit#1548: new devices were missed by a running rollout."""
    rollout = start(fleet)
    fleet.add_devices("edge-0")
    fleet.engine.step_all()
    assert fleet.waves(rollout)["edge-0"] == 3
    assert fleet.offered() == {"edge-1"}, "the canary wave is as small as it was planned"
    finish(fleet, rollout)
    assert (fleet.state(rollout), fleet.standings(rollout)["edge-0"]) == ("done", "committed")


def test_a_device_that_comes_when_all_have_answered_makes_a_wave_of_its_own(fleet):
    rollout = start(fleet, waves=("100%",), soak_hours=1)
    for name in NAMES:
        fleet.commit(name)
    fleet.engine.step_all()
    fleet.add_devices("edge-4")
    fleet.engine.step_all()
    assert (fleet.waves(rollout)["edge-4"], fleet.offered()) == (2, set(NAMES))
    fleet.clock.pass_hours(1)
    fleet.engine.step_all()
    fleet.report("edge-4", "rolled-back")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "halted"
    assert fleet.reason(rollout).startswith("wave 2: 0 of 1 committed, 1 failed")


def test_a_wave_that_a_late_device_makes_needs_the_approval_of_the_one_before(fleet):
    rollout = start(fleet, waves=("100%",), soak_hours=1, approve_before=(1,))
    fleet.rollouts.approve(rollout, actor="bea")
    fleet.engine.step_all()
    for name in NAMES:
        fleet.commit(name)
    fleet.engine.step_all()
    fleet.add_devices("edge-4")
    fleet.engine.step_all()
    fleet.clock.pass_hours(2)
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.offered()) == ("awaiting", set(NAMES))


def test_with_late_leave_a_rollout_keeps_to_the_devices_it_began_with(fleet):
    rollout = start(fleet, late=Late.LEAVE)
    fleet.add_devices("edge-4")
    finish(fleet, rollout)
    assert "edge-4" not in fleet.standings(rollout)


def test_only_devices_that_match_and_that_no_other_rollout_directs_join(fleet):
    rollout = start(fleet, selector={"sites": ("plant-1",)})
    fleet.add_devices("far-1", site="plant-2")
    fleet.add_devices("fan-1", machine_class="fan")
    fleet.add_devices("moving-1", site="plant-3")
    other = start(fleet, selector={"sites": ("plant-3",)})
    fleet.change("moving-1", "site = (SELECT id FROM site WHERE name = 'plant-1')")
    fleet.engine.step_all()
    assert set(fleet.standings(rollout)) == set(NAMES)
    assert set(fleet.standings(other)) == {"moving-1"}


def test_a_silent_device_that_comes_back_before_its_directive_expired_goes_on(fleet):
    rollout = start(fleet, waves=("100%",), silent=Silent.SKIP, timeout_hours=1)
    fleet.report("edge-1", "downloading")
    fleet.commit("edge-2")
    fleet.report("edge-3", "downloading")
    fleet.engine.step_all()
    fleet.clock.pass_hours(0.9)
    fleet.report("edge-3", "probation", after_us=1)
    fleet.engine.step_all()
    fleet.clock.pass_hours(0.2)
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-1"] == "silent"
    World(fleet.database.conninfo).engine.step(rollout)
    assert fleet.standings(rollout)["edge-1"] == "silent", "its old words say nothing new to a new engine"
    fleet.clock.pass_hours(0.1)
    fleet.report("edge-1", "probation")
    fleet.engine.step(rollout)
    assert fleet.standings(rollout)["edge-1"] == "probation"
    fleet.engine.step(rollout)
    assert fleet.standings(rollout)["edge-1"] == "probation", "it has its time from now on"


def test_a_device_that_comes_back_after_its_directive_expired_is_offered_the_release_once_more(fleet):
    rollout = start(fleet, waves=("2", "100%"), silent=Silent.SKIP, soak_hours=24 * 8)
    fleet.commit("edge-1")
    fleet.engine.step_all()
    fleet.clock.pass_hours(24 * 7 + 1)
    fleet.engine.step_all()
    assert fleet.standings(rollout) == {"edge-1": "committed", "edge-2": "silent", "edge-3": "waiting"}
    fleet.report("edge-2", "refused", reason="the directive expired")
    fleet.hear("edge-2")
    fleet.engine.step_all()
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-2"] == "silent", "it was heard before it was silent"
    fleet.clock.pass_hours(1)
    fleet.hear("edge-2")
    fleet.engine.step_all()
    assert (fleet.standings(rollout)["edge-2"], fleet.waves(rollout)["edge-2"]) == ("waiting", 2)
    fleet.clock.pass_hours(24 * 8)
    fleet.engine.step_all()
    assert [each.sequence for each in fleet.directives("edge-2")] == sorted(
        {each.sequence for each in fleet.directives("edge-2")}
    )
    assert len(fleet.directives("edge-2")) == 2
    fleet.commit("edge-3")
    fleet.engine.step_all()
    fleet.clock.pass_hours(24 * 8)
    fleet.engine.step_all()
    fleet.clock.pass_hours(1)
    fleet.hear("edge-2")
    fleet.engine.step_all()
    assert len(fleet.directives("edge-2")) == 2, "once"


def test_a_silent_device_is_still_heard_after_the_rollout_has_ended(fleet):
    rollout = start(fleet, waves=("100%",), silent=Silent.SKIP)
    for name in NAMES[:2]:
        fleet.commit(name)
    fleet.clock.pass_hours(25)
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.standings(rollout)["edge-3"]) == ("done", "silent")
    fleet.commit("edge-3")
    assert fleet.engine.step_all() == 1
    assert fleet.standings(rollout)["edge-3"] == "committed"
    assert fleet.engine.step_all() == 0


def test_nobody_waits_for_a_device_that_is_retired_on_the_way(fleet):
    rollout = start(fleet, waves=("100%",))
    for name in NAMES[:2]:
        fleet.commit(name)
    fleet.retire("edge-3")
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.standings(rollout)["edge-3"]) == ("done", "withdrawn")
    assert fleet.why(rollout, "edge-3") == "retired"


@pytest.mark.parametrize("said", [None, "downloading"])
def test_a_device_with_a_new_key_gets_a_new_directive(fleet, said):
    fleet.run_release("edge-1", f"{USE_CASE}/0")
    rollout = start(fleet)
    if said:
        fleet.report("edge-1", said)
        fleet.engine.step_all()
    fleet.enrol_anew("edge-1")
    fleet.engine.step_all()
    fleet.engine.step_all()
    old, new = fleet.directives("edge-1")
    assert new.sequence > old.sequence
    assert new.key_fingerprint != old.key_fingerprint
    finish(fleet, rollout)
    assert fleet.state(rollout) == "done"


def test_a_device_with_a_new_key_is_sent_back_by_a_directive_it_can_accept(fleet):
    finish(fleet, start(fleet))
    fleet.add_release(2)
    rollout = start(fleet, f"{USE_CASE}/2", waves=("100%",))
    fleet.rollouts.undo(rollout, actor="ada", reason="no")
    fleet.engine.step_all()
    fleet.enrol_anew("edge-1")
    fleet.engine.step_all()
    newest = fleet.directives("edge-1")[-1]
    assert (newest.mode, newest.release, len(fleet.directives("edge-1"))) == ("undo", f"{USE_CASE}/1", 4)


def test_a_pinned_device_is_selected_by_no_rollout(fleet):
    fleet.pin("edge-2", reason="reference machine")
    rollout = start(fleet)
    assert set(fleet.standings(rollout)) == {"edge-1", "edge-3"}
    with pytest.raises(PlanError, match="1 pinned"):
        fleet.rollouts.start(plan(selector={"devices": ("edge-2",)}), actor="ada")
    assert fleet.actions()[0] == "device.pin"


def test_a_device_pinned_before_its_turn_is_withdrawn_and_comes_back_unpinned(fleet):
    rollout = start(fleet)
    assert fleet.pin("edge-3") == ""
    assert fleet.pin("edge-1") == rollout, "that one is at it already"
    fleet.engine.step_all()
    assert fleet.standings(rollout) == {"edge-1": "offered", "edge-2": "waiting", "edge-3": "withdrawn"}
    assert fleet.why(rollout, "edge-3") == "pinned: a trial"
    fleet.unpin("edge-3")
    finish(fleet, rollout)
    assert fleet.standings(rollout)["edge-3"] == "committed"


def test_a_pin_waits_for_an_offer_in_the_making_and_tells_of_it(fleet):
    """Else nobody would hear that the device gets a release all the same."""
    told: list[str] = []
    pinning = threading.Thread(target=lambda: told.append(fleet.pin("edge-1")))

    def sign(directives):
        pinning.start()
        pinning.join(0.5)
        assert pinning.is_alive(), "it has told already that nothing is under way"
        return fleet.sign(directives)

    fleet.engine = Engine(fleet.database, fleet.clock, sign=sign, record=fleet.record, crown=set_champion)
    rollout = start(fleet)
    pinning.join(30)
    assert told == [rollout]


def test_undo_leaves_a_pinned_device_where_it_is(fleet):
    finish(fleet, start(fleet))
    fleet.add_release(2)
    rollout = start(fleet, f"{USE_CASE}/2", waves=("100%",))
    fleet.pin("edge-1")
    fleet.rollouts.undo(rollout, actor="ada", reason="no")
    fleet.engine.step_all()
    assert fleet.standings(rollout) == {"edge-1": "kept", "edge-2": "offered", "edge-3": "offered"}
    assert fleet.why(rollout, "edge-1") == "pinned: a trial"


def test_a_pin_that_means_nothing_is_refused(fleet):
    with pytest.raises(ConflictError, match="'edge-1' is not pinned for motor-health"):
        fleet.unpin("edge-1")
    with pytest.raises(NotFoundError, match="no device named 'edge-9'"):
        fleet.pin("edge-9")
    fleet.retire("edge-1")
    with pytest.raises(ConflictError, match="retired"):
        fleet.pin("edge-1")


def test_undo_sends_back_who_is_still_at_it_or_silent(fleet):
    finish(fleet, start(fleet))
    fleet.add_release(2)
    rollout = start(fleet, f"{USE_CASE}/2", waves=("100%",), silent=Silent.SKIP, timeout_hours=1)
    fleet.clock.pass_hours(0.5)
    fleet.report("edge-2", "deferred")
    fleet.report("edge-3", "probation")
    fleet.engine.step_all()
    fleet.clock.pass_hours(1)
    fleet.commit("edge-3")
    fleet.engine.step_all()
    assert fleet.standings(rollout) == {"edge-1": "silent", "edge-2": "deferred", "edge-3": "committed"}
    fleet.rollouts.undo(rollout, actor="ada", reason="no")
    fleet.engine.step_all()
    for name in NAMES:
        install, undo = fleet.directives(name)[-2:]
        assert (undo.mode, undo.release) == ("undo", f"{USE_CASE}/1")
        assert undo.sequence > install.sequence
