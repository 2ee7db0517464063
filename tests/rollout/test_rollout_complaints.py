"""What fleets complain about elsewhere, one test for each complaint about rollouts."""

import pytest
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError
from cloud_hub.rollout.plan import Silent

NAMES = ("edge-1", "edge-2", "edge-3")


@pytest.fixture
def fleet(world: World) -> World:
    """Everybody runs release 1 and is about to be offered release 2."""
    world.add_devices(*NAMES)
    for release in (1, 2):
        world.add_release(release)
    for name in NAMES:
        world.run_release(name, f"{USE_CASE}/1")
    return world


def start(world: World, **changes) -> str:
    rollout = world.rollouts.start(plan(f"{USE_CASE}/2", **changes), actor="ada")
    world.engine.step_all()
    return rollout


def test_success_is_not_recorded_before_health_is_proven(fleet):
    """hawkbit#3185, rauc-hawkbit-updater#161: the rollout went on although devices fell back."""
    rollout = start(fleet)
    for state in ("downloading", "installing", "probation"):
        fleet.report("edge-1", state)
        fleet.run_release("edge-1", f"{USE_CASE}/2")  # it runs the release, and that is no proof
        fleet.engine.step_all()
        assert (fleet.state(rollout), fleet.offered()) == ("running", {"edge-1"})
    fleet.report("edge-1", "rolled-back", after_us=1)
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.offered()) == ("halted", {"edge-1"})


def test_no_wave_opens_when_neither_threshold_is_matched(fleet):
    """hawkbit#3110: neither threshold matched, yet the next group started."""
    rollout = start(
        fleet, waves=("2", "100%"), silent=Silent.SKIP, tolerated=0.2, succeed=0.8, timeout_hours=1
    )
    fleet.commit("edge-1")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "running"
    fleet.clock.pass_hours(2)
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.offered()) == ("halted", {"edge-1", "edge-2"})


def test_a_device_enrolled_while_a_rollout_runs_is_not_missed(fleet):
    """hawkbit#1548."""
    rollout = start(fleet)
    fleet.add_devices("edge-4")
    fleet.engine.step_all()
    assert "edge-4" in fleet.standings(rollout)


@pytest.mark.parametrize("state", ["accepted", "downloading", "installing", "deferred", "probation"])
@pytest.mark.parametrize("act", ["abort", "undo"])
def test_a_rollout_is_stopped_whatever_its_devices_are_stuck_in(fleet, state, act):
    """hawkbit#1770, #2558, greengrass-nucleus#1161: a deployment stuck, and not cancellable."""
    rollout = start(fleet, waves=("100%",), timeout_hours=1)
    fleet.report("edge-1", state)
    fleet.engine.step_all()
    getattr(fleet.rollouts, act)(rollout, actor="ada", reason="stuck")
    fleet.engine.step_all()
    mode = "undo" if act == "undo" else "install"
    assert fleet.directives("edge-1")[-1].mode == mode
    fleet.clock.pass_hours(24 * 16)
    fleet.engine.step_all()
    fleet.engine.step_all()
    assert fleet.engine.step_all() == 0, "nothing waits for ever"


def test_a_release_is_not_applied_again_and_again(fleet):
    """greengrass-nucleus#1203: a device that says it failed is offered nothing again, however often steps run."""
    rollout = start(fleet, waves=("100%",), tolerated=0.5)
    for _ in range(3):
        fleet.report("edge-1", "rolled-back")
        fleet.hear("edge-1")
        fleet.engine.step_all()
        fleet.clock.pass_hours(1)
    assert len(fleet.directives("edge-1")) == 1
    assert fleet.standings(rollout)["edge-1"] == "rolled-back"


def test_a_rollback_is_not_rolled_back(fleet):
    """greengrass-nucleus#1635: who went back by itself is sent back to what it runs, never to what failed."""
    rollout = start(fleet)
    fleet.report("edge-1", "rolled-back")
    fleet.engine.step_all()
    fleet.rollouts.undo(rollout, actor="ada", reason="bad release")
    fleet.engine.step_all()
    assert [(each.mode, each.release) for each in fleet.directives("edge-1")] == [
        ("install", f"{USE_CASE}/2"),
        ("undo", f"{USE_CASE}/1"),
    ]
    fleet.report("edge-1", "failed")
    fleet.engine.step_all()
    with pytest.raises(ConflictError, match="undo needs one that is"):
        fleet.rollouts.undo(rollout, actor="ada", reason="undo the undo")
    fleet.clock.pass_hours(1000)
    assert fleet.engine.step_all() == 0
    assert len(fleet.directives("edge-1")) == 2
