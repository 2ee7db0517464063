"""What a rollout waits for beside its waves: room under the cap, a maintenance window, a person."""

from datetime import UTC, datetime

import pytest
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError
from cloud_hub.rollout.plan import PlanError, Silent, parse_windows
from cloud_hub.rollout.windows import closed
from wire.clock import to_datetime

NAMES = ("edge-1", "edge-2", "edge-3", "edge-4")


@pytest.fixture
def fleet(world: World) -> World:
    world.add_devices(*NAMES)
    world.add_release(1)
    return world


def start(world: World, **changes) -> str:
    rollout = world.rollouts.start(plan(**changes), actor="ada")
    world.engine.step_all()
    return rollout


def states(world: World, rollout: str) -> list[str]:
    return list(world.standings(rollout).values())


def test_no_more_devices_are_under_way_than_the_cap_allows(fleet):
    rollout = start(fleet, waves=("100%",), at_once=2)
    assert states(fleet, rollout) == ["offered", "offered", "waiting", "waiting"]
    fleet.report("edge-1", "deferred", reason="waits for its window")
    fleet.engine.step_all()
    assert len(fleet.offered()) == 2, "who has deferred is under way"
    fleet.commit("edge-2")
    fleet.engine.step_all()
    assert states(fleet, rollout) == ["deferred", "committed", "offered", "waiting"]


def test_devices_are_offered_a_release_only_inside_the_window_of_their_site(world):
    world.add_release(1)
    world.add_devices("berlin", site="plant-1", zone="Europe/Berlin")
    world.add_devices("tokyo", site="plant-2", zone="Asia/Tokyo")
    now = to_datetime(world.clock.now_us())
    hour = (now.hour + 2) % 24  # of Berlin, in summer
    assert now.astimezone(UTC).month == 9
    window = f"daily {hour:02}:00-{(hour + 1) % 24:02}:00"
    rollout = start(world, waves=("100%",), windows=parse_windows([window]))
    assert world.standings(rollout) == {"berlin": "offered", "tokyo": "waiting"}
    assert world.why(rollout, "tokyo").startswith(f"waits for its window: {window} in Asia/Tokyo, next 2026-")
    world.commit("berlin")
    world.clock.pass_hours(17)
    world.engine.step_all()
    assert world.standings(rollout) == {"berlin": "committed", "tokyo": "offered"}


def test_who_waits_for_a_window_takes_no_room_and_is_not_silent(world):
    world.add_release(1)
    world.add_devices("a-tokyo", site="plant-2", zone="Asia/Tokyo")
    world.add_devices("b-utc")
    hour = to_datetime(world.clock.now_us()).hour
    windows = parse_windows([f"mon {hour:02}:00-{(hour + 1) % 24:02}:00"])
    day = to_datetime(world.clock.now_us()).weekday()
    world.clock.pass_hours(24 * ((7 - day) % 7))
    rollout = start(world, waves=("100%",), windows=windows, at_once=1, timeout_hours=2)
    assert world.standings(rollout) == {"a-tokyo": "waiting", "b-utc": "offered"}
    world.clock.pass_hours(3)
    world.engine.step_all()
    assert world.standings(rollout)["a-tokyo"] == "waiting"


def test_a_window_in_a_zone_that_nobody_knows_refuses_the_plan(world):
    world.add_release(1)
    world.add_devices("edge-1", zone="Mars/Olympus")
    with pytest.raises(
        PlanError, match="expected an IANA time zone such as Europe/Berlin, got 'Mars/Olympus'"
    ):
        start(world, windows=parse_windows(["daily 02:00-04:00"]))
    assert (
        "does not open in Mars/Olympus"
        in closed(parse_windows(["daily 02:00-04:00"]), ["Mars/Olympus"], datetime(2026, 9, 1, tzinfo=UTC))[
            "Mars/Olympus"
        ]
    )


def test_a_wave_waits_for_a_person_who_is_on_the_record(fleet):
    rollout = start(fleet, approve_before=(2,))
    fleet.commit("edge-1")
    fleet.engine.step_all()
    fleet.engine.step_all()
    assert (fleet.state(rollout), len(fleet.offered())) == ("awaiting", 1)
    assert fleet.reason(rollout) == "awaits approval of wave 2; wave 1: 1 of 1 committed"
    fleet.rollouts.approve(rollout, actor="bea", reason="the canary is fine")
    fleet.engine.step_all()
    assert (fleet.state(rollout), len(fleet.offered())) == ("running", 2)
    assert fleet.actions() == [
        "rollout.start",
        "rollout.widen",
        "rollout.await",
        "rollout.approve",
        "rollout.widen",
    ]
    row = fleet.database.row("SELECT actor, detail FROM audit WHERE action = 'rollout.approve'")
    assert (row["actor"], row["detail"]["wave"]) == ("bea", 2)


def test_an_approval_opens_exactly_the_next_wave_that_awaits_one(fleet):
    rollout = start(fleet, approve_before=(1, 2, 3))
    for reached in (0, 1, 2):
        assert (fleet.state(rollout), len(fleet.offered())) == ("awaiting", reached)
        fleet.rollouts.approve(rollout, actor="bea")
        fleet.engine.step_all()
        with pytest.raises(ConflictError, match="approve needs one that is awaiting"):
            fleet.rollouts.approve(rollout, actor="bea")
        for name in fleet.offered():
            fleet.commit(name)
        fleet.engine.step_all()


def test_an_approval_of_a_wave_that_has_opened_opens_no_other(fleet):
    """A page that stood open, or a program that asks again: what was looked at has opened meanwhile."""
    rollout = start(fleet, approve_before=(1, 2))
    fleet.rollouts.approve(rollout, actor="bea", wave=1)
    fleet.engine.step_all()
    fleet.commit("edge-1")
    fleet.engine.step_all()
    fleet.engine.step_all()
    assert fleet.state(rollout) == "awaiting"
    with pytest.raises(ConflictError, match="awaits approval of wave 2, got one of wave 1: look at it again"):
        fleet.rollouts.approve(rollout, actor="bea", wave=1)
    assert (fleet.state(rollout), fleet.actions().count("rollout.approve")) == ("awaiting", 1)
    fleet.rollouts.approve(rollout, actor="bea", wave=2)
    assert fleet.state(rollout) == "running"


def test_a_pause_while_it_awaits_approval_takes_no_approval_with_it(fleet):
    rollout = start(fleet, approve_before=(1,))
    fleet.rollouts.pause(rollout, actor="ada", reason="lunch")
    fleet.rollouts.resume(rollout, actor="ada")
    fleet.engine.step_all()
    assert (fleet.state(rollout), fleet.offered()) == ("awaiting", set())


def test_with_four_eyes_another_person_approves(fleet):
    rollout = start(fleet, approve_before=(1,), four_eyes=True)
    with pytest.raises(ConflictError, match="ada started it, another person approves it"):
        fleet.rollouts.approve(rollout, actor="ada")
    assert fleet.state(rollout) == "awaiting"
    fleet.rollouts.approve(rollout, actor="bea")
    fleet.engine.step_all()
    assert len(fleet.offered()) == 1


def test_a_device_that_deferred_is_not_silent_while_its_directive_holds(fleet):
    rollout = start(fleet, waves=("100%",), silent=Silent.SKIP)
    for name in NAMES[:3]:
        fleet.commit(name)
    fleet.report("edge-4", "deferred", reason="waits for sat,sun 02:00-06:00")
    fleet.engine.step_all()
    fleet.clock.pass_hours(24 * 7)
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-4"] == "deferred"
    fleet.clock.pass_hours(24)
    fleet.engine.step_all()
    assert (fleet.standings(rollout)["edge-4"], fleet.state(rollout)) == ("silent", "done")


def test_the_halt_says_how_long_the_first_failure_took_to_stop_it(fleet):
    rollout = start(fleet, waves=("100%",), tolerated=0.25)
    fleet.report("edge-1", "failed")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "running"
    fleet.clock.pass_hours(2)
    fleet.report("edge-2", "rolled-back")
    fleet.engine.step_all()
    row = fleet.database.row("SELECT detail FROM audit WHERE action = 'rollout.halt'")
    assert row["detail"]["seconds_to_halt"] == 7200


def test_a_success_threshold_opens_the_next_wave_before_the_last_answer(fleet):
    rollout = start(fleet, waves=("75%", "100%"), succeed=0.6, tolerated=0.4)
    for name in NAMES[:2]:
        fleet.commit(name)
    fleet.engine.step_all()
    assert states(fleet, rollout) == ["committed", "committed", "offered", "offered"]
    fleet.commit("edge-4")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "running", "it ends with the last answer"
    fleet.commit("edge-3")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "done"


def test_devices_are_selected_by_target(world):
    world.add_release(1)
    world.add_devices("x86")
    world.add_devices("orin", target="jetson-orin")
    rollout = world.rollouts.start(plan(selector={"targets": ("jetson-orin",)}), actor="ada")
    assert set(world.standings(rollout)) == {"orin"}


def test_a_preview_says_who_is_in_which_wave_and_who_is_left_out_and_changes_nothing(world):
    world.add_release(1)
    world.add_devices("edge-1", "edge-2", "edge-3", zone="Europe/Berlin")
    world.add_devices("edge-4", retired=world.clock.now())
    world.pin("edge-3", reason="reference")
    ahead = world.rollouts.preview(plan(approve_before=(2,), windows=parse_windows(["daily 02:00-04:00"])))
    assert [(wave, [each.name for each in devices]) for wave, devices in ahead.members()] == [
        (1, ["edge-1"]),
        (2, ["edge-2"]),
    ]
    assert [(each.name, each.why, each.detail) for each in ahead.left_out] == [
        ("edge-3", "pinned", "reference"),
        ("edge-4", "retired", ""),
    ]
    assert ahead.approvals == (2,)
    assert ahead.opens["Europe/Berlin"].hour == 0
    assert world.database.rows("SELECT FROM rollout") == []
    assert f"{USE_CASE}/1" == ahead.release
