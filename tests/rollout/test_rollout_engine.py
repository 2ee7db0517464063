"""The engine on a real database: what devices are sent, what stops a rollout, and that a crash repeats nothing."""

import random
import time
from datetime import UTC, datetime

import pytest
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.governance import audit
from cloud_hub.rollout.engine import Engine, clock_span_us
from cloud_hub.rollout.plan import PlanError, Silent
from wire.clock import Clock

NAMES = ("edge-1", "edge-2", "edge-3", "edge-4")


@pytest.fixture
def fleet(world: World) -> World:
    world.add_devices(*NAMES)
    world.add_release(1)
    return world


def start(world: World, *arguments, **changes) -> str:
    rollout = world.rollouts.start(plan(*arguments, **changes), actor="ada")
    world.engine.step_all()
    return rollout


def test_a_good_release_reaches_everybody_wave_by_wave_and_becomes_champion(fleet):
    fleet.database.execute(
        "INSERT INTO alias (use_case, name, version) SELECT use_case, 'candidate', version FROM model"
    )
    rollout = start(fleet)
    reached = []
    while fleet.state(rollout) == "running":
        reached.append(len(fleet.offered()))
        for name in fleet.offered():
            fleet.commit(name)
        fleet.engine.step_all()
    assert reached == [1, 2, 4]
    assert fleet.state(rollout) == "done"
    assert fleet.champion() == f"{USE_CASE}/1"
    assert fleet.database.rows("SELECT name FROM alias") == [{"name": "champion"}], "it waits for nothing"
    assert fleet.actions() == ["rollout.start"] + ["rollout.widen"] * 3 + ["rollout.done"]


def test_a_directive_says_who_installs_what_until_when(fleet):
    rollout = start(fleet)
    (directive,) = fleet.directives("edge-1")
    now = fleet.clock.now_us()
    assert (directive.release, directive.rollout, directive.mode) == (f"{USE_CASE}/1", rollout, "install")
    assert directive.key_fingerprint == b"edge-1".hex()
    assert (directive.bundle_path, directive.correlation) == ("bundles/x.zip", "trace-1")
    assert directive.sequence == now // 1000
    assert (directive.issued_us, directive.expires_us) == (now, now + 7 * 86_400_000_000)


def test_ingest_is_told_of_a_new_directive_when_it_is_committed(fleet):
    with fleet.database.connect() as listener:
        listener.execute("LISTEN andon_directive")
        start(fleet)
        heard = [note.payload for note in listener.notifies(timeout=5, stop_after=1)]
    assert heard == ["edge-1"]


def test_of_many_new_directives_ingest_is_told_once(world):
    world.add_release(1)
    world.add_devices(*(f"edge-{number:02}" for number in range(51)))
    with world.database.connect() as listener:
        listener.execute("LISTEN andon_directive")
        start(world, waves=("100%",))
        world.database.execute("NOTIFY andon_directive, 'the end'")
        heard = [note.payload for note in listener.notifies(timeout=5, stop_after=2)]
    assert heard == ["", "the end"]
    assert len(world.offered()) == 51


def test_a_report_that_commits_after_later_ones_is_heard(fleet):
    rollout = start(fleet, waves=("100%",))
    with fleet.database.connect(autocommit=False) as slow:
        fleet.report("edge-1", "committed", connection=slow)
        for name in NAMES[1:]:
            fleet.commit(name)
            fleet.engine.step_all()
        slow.commit()
    fleet.engine.step_all()
    assert fleet.state(rollout) == "done"


def test_a_step_reads_no_report_twice_once_all_before_it_are_committed(fleet):
    rollout = start(fleet, waves=("100%",))
    fleet.commit("edge-1")
    for _ in range(2):
        fleet.engine.step_all()
    newest = fleet.database.row("SELECT max(id) AS id FROM report")["id"]
    assert fleet.engine._heard[rollout].floor == newest


def test_a_bad_release_reaches_no_more_than_its_first_wave(fleet):
    rollout = start(fleet)
    fleet.report("edge-1", "rolled-back", reason="disagreement 0.9 exceeds 0.2")
    fleet.engine.step_all()
    fleet.clock.pass_hours(100)
    assert fleet.engine.step_all() == 0
    assert fleet.state(rollout) == "halted"
    assert fleet.offered() == {"edge-1"}
    assert fleet.champion() is None
    assert fleet.actions()[-1] == "rollout.halt"


def test_a_step_killed_before_its_commit_leaves_nothing_and_is_made_up_for(fleet):
    rollout = fleet.rollouts.start(plan(waves=("100%",)), actor="ada")
    signed = []

    def die_at_the_third(directives):
        for directive in directives:
            signed.append(directive)
            if len(signed) == 3:
                raise KeyboardInterrupt
        return fleet.sign(directives)

    dying = Engine(
        fleet.database,
        fleet.clock,
        sign=die_at_the_third,
        record=fleet.rollouts._record,
        crown=lambda *_: None,
    )
    with pytest.raises(KeyboardInterrupt):
        dying.step(rollout)
    assert fleet.offered() == set()
    fleet.engine.step_all()
    assert fleet.offered() == set(NAMES)


def test_a_step_run_twice_directs_nobody_twice(fleet):
    rollout = start(fleet, waves=("50%", "100%"))
    for _ in range(3):
        fleet.engine.step(rollout)
    assert [len(fleet.directives(name)) for name in NAMES] == [1, 1, 0, 0]
    assert fleet.actions().count("rollout.widen") == 1


def test_sequences_rise_even_when_the_clock_does_not(fleet):
    fleet.add_release(2)
    first = start(fleet, waves=("100%",))
    fleet.rollouts.abort(first, actor="ada", reason="wrong one")
    start(fleet, f"{USE_CASE}/2", waves=("100%",))
    one, two = fleet.directives("edge-1")
    assert two.sequence == one.sequence + 1


@pytest.mark.parametrize("seed", range(5))
def test_reports_mean_the_same_in_whatever_order_they_arrive(fleet, seed):
    start(fleet, waves=("100%",))
    said = [("downloading", 1), ("probation", 2), ("committed", 3), ("rolled-back", 4)]
    random.Random(seed).shuffle(said)
    for state, after_us in said:
        fleet.report("edge-1", state, after_us=after_us)
        fleet.report("edge-1", state, after_us=after_us)
    fleet.engine.step_all()
    assert fleet.standings("motor-health-1.1")["edge-1"] == "rolled-back"


def test_a_report_about_another_directive_counts_for_nothing(fleet):
    rollout = start(fleet)
    fleet.report("edge-1", "committed", sequence=17)
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-1"] == "offered"


def test_a_silent_device_ends_the_wait_and_is_heard_when_it_returns(fleet):
    rollout = start(fleet, waves=("100%",), silent=Silent.SKIP)
    for name in NAMES[:3]:
        fleet.commit(name)
    fleet.report("edge-4", "downloading")
    fleet.engine.step_all()
    assert fleet.state(rollout) == "running"
    fleet.clock.pass_hours(25)
    fleet.engine.step_all()
    assert fleet.state(rollout) == "done"
    assert fleet.standings(rollout)["edge-4"] == "silent"
    fleet.report("edge-4", "committed")
    fleet.engine.step(rollout)
    assert fleet.standings(rollout)["edge-4"] == "committed"


def test_a_paused_rollout_opens_no_wave_and_goes_on_when_resumed(fleet):
    rollout = start(fleet)
    fleet.rollouts.pause(rollout, actor="ada", reason="shift change")
    fleet.commit("edge-1")
    fleet.engine.step_all()
    assert len(fleet.offered()) == 1
    fleet.rollouts.resume(rollout, actor="ada")
    fleet.engine.step_all()
    assert len(fleet.offered()) == 2


def test_an_aborted_rollout_offers_nothing_more(fleet):
    rollout = start(fleet)
    fleet.rollouts.abort(rollout, actor="ada", reason="wrong release")
    fleet.commit("edge-1")
    fleet.engine.step_all()
    assert (fleet.state(rollout), len(fleet.offered())) == ("aborted", 1)


def test_undo_sends_every_device_that_was_offered_the_release_back(fleet):
    finish(fleet, start(fleet, waves=("100%",)))
    fleet.add_release(2)
    second = start(fleet, f"{USE_CASE}/2", waves=("50%", "100%"))
    fleet.commit("edge-1")
    fleet.rollouts.undo(second, actor="ada", reason="too many alarms")
    fleet.engine.step_all()
    for name, mode, release in (("edge-1", "undo", 1), ("edge-2", "undo", 1), ("edge-3", "install", 1)):
        newest = fleet.directives(name)[-1]
        assert (newest.mode, newest.release) == (mode, f"{USE_CASE}/{release}")
    for name in ("edge-1", "edge-2"):
        fleet.commit(name)
    assert fleet.engine.step_all() == 1
    assert fleet.engine.step_all() == 0
    assert fleet.standings(second)["edge-1"] == "committed"
    assert fleet.state(second) == "undone"


def test_undo_of_a_finished_rollout_restores_the_champion_before_it(fleet):
    finish(fleet, start(fleet, waves=("100%",)))
    fleet.add_release(2)
    second = start(fleet, f"{USE_CASE}/2", waves=("100%",))
    finish(fleet, second)
    assert fleet.champion() == f"{USE_CASE}/2"
    fleet.rollouts.undo(second, actor="ada", reason="worse")
    assert fleet.champion() == f"{USE_CASE}/1"


def test_undo_makes_no_champion_of_a_release_whose_files_are_gone(fleet):
    """No candidate could be held against it, and every training would fail."""
    for version in (1, 2, 3):
        if version > 1:
            fleet.add_release(version)
        last = start(fleet, f"{USE_CASE}/{version}", waves=("100%",))
        finish(fleet, last)
        fleet.clock.pass_hours(1)
    fleet.database.execute("UPDATE model SET state = 'removed', removed = now() WHERE version = 2")
    fleet.rollouts.undo(last, actor="ada", reason="worse")
    assert fleet.champion() == f"{USE_CASE}/1"


def test_undo_leaves_a_device_that_had_nothing_before_and_says_so(fleet):
    rollout = start(fleet)
    fleet.commit("edge-1")
    fleet.rollouts.undo(rollout, actor="ada", reason="second thoughts")
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-1"] == "kept"
    row = fleet.database.row("SELECT reason FROM rollout_device WHERE state = 'kept'")
    assert row["reason"] == "it had no release before this one to go back to"


def test_undo_of_an_old_rollout_leaves_devices_that_a_later_one_directs(fleet):
    first = start(fleet, waves=("100%",))
    finish(fleet, first)
    fleet.add_release(2)
    finish(fleet, start(fleet, f"{USE_CASE}/2", waves=("100%",)))
    fleet.rollouts.undo(first, actor="ada", reason="cleaning up")
    fleet.engine.step_all()
    assert set(fleet.standings(first).values()) == {"kept"}
    assert fleet.directives("edge-1")[-1].release == f"{USE_CASE}/2"


def test_a_second_rollout_of_the_use_case_needs_to_supersede_the_first(fleet):
    fleet.add_release(2)
    first = start(fleet)
    with pytest.raises(ConflictError, match=f"rollout {first} of motor-health still directs edge-1"):
        start(fleet, f"{USE_CASE}/2")
    second = fleet.rollouts.start(plan(f"{USE_CASE}/2"), actor="ada", supersede=True)
    assert (fleet.state(first), fleet.reason(first)) == ("aborted", f"superseded by {second}")
    ended = fleet.database.row(
        "SELECT * FROM audit WHERE subject = %(first)s ORDER BY id DESC", {"first": first}
    )
    assert (ended["actor"], ended["action"], ended["correlation"]) == ("ada", "rollout.supersede", "trace-1")
    assert ended["detail"] == {"reason": f"superseded by {second}", "was": "running"}


def test_rollouts_of_different_devices_run_side_by_side(fleet):
    start(fleet, selector={"devices": ("edge-1", "edge-2")})
    start(fleet, selector={"devices": ("edge-3", "edge-4")})
    assert fleet.offered() == {"edge-1", "edge-3"}


def test_a_device_retired_while_it_waits_is_not_offered_the_release(fleet):
    rollout = start(fleet, waves=("1", "100%"))
    fleet.database.execute(
        "UPDATE device SET retired = %(now)s WHERE name = 'edge-4'", {"now": fleet.clock.now()}
    )
    fleet.commit("edge-1")
    fleet.engine.step_all()
    assert fleet.standings(rollout)["edge-4"] == "withdrawn"
    assert fleet.offered() == {"edge-1", "edge-2", "edge-3"}


def test_online_devices_go_first_so_that_the_canary_can_answer(world):
    world.add_devices("a-offline", online=False)
    world.add_devices("b-online")
    world.add_release(1)
    start(world)
    assert world.offered() == {"b-online"}


def test_a_plan_that_selects_nobody_is_refused_with_the_reasons(world):
    world.add_release(1)
    world.add_devices("a-retired", retired=world.clock.now())
    world.add_devices("b-new", key_fingerprint=None)
    world.add_devices("c-fan", machine_class="fan")
    world.add_devices("d-same")
    world.run_release("d-same", f"{USE_CASE}/1")
    with pytest.raises(
        PlanError,
        match="1 retired, 1 not enrolled, 1 without a machine of class 'motor-pump', 1 running motor-health/1 already",
    ):
        start(world)
    with pytest.raises(PlanError, match="sites plant-9: nobody matches"):
        start(world, selector={"sites": ("plant-9",)})
    with pytest.raises(NotFoundError, match="no device named 'edge-9'"):
        start(world, selector={"devices": ("edge-9", "d-same")})


def test_only_devices_of_the_releases_targets_are_selected(world):
    world.add_release(1, targets=("jetson-orin",))
    world.add_devices("edge-1")
    with pytest.raises(PlanError, match="1 of a target the release is not for"):
        start(world)


def test_selectors_narrow_each_other(world):
    world.add_release(1)
    world.add_devices("edge-1", tags=["canary"])
    world.add_devices("edge-2", tags=["canary"], site="plant-2")
    world.add_devices("edge-3", site="plant-2")
    rollout = start(world, selector={"sites": ("plant-2",), "tags": ("canary",)})
    assert set(world.standings(rollout)) == {"edge-2"}


def test_a_candidate_cannot_be_rolled_out(world):
    world.add_devices("edge-1")
    world.add_release(1, state="candidate")
    with pytest.raises(ConflictError, match="expected motor-health/1 to be released, it is candidate"):
        start(world)
    with pytest.raises(NotFoundError, match="no release named 'motor-health/7'"):
        start(world, f"{USE_CASE}/7")


def test_a_rollout_that_cannot_be_signed_says_so_and_goes_on_later(fleet):
    def keyless(directives):
        raise TrustError("there are no signing keys yet")

    broken = Engine(
        fleet.database, fleet.clock, sign=keyless, record=fleet.rollouts._record, crown=lambda *_: None
    )
    rollout = fleet.rollouts.start(plan(), actor="ada")
    assert broken.step_all() == 1
    assert fleet.reason(rollout) == "cannot go on: there are no signing keys yet"
    fleet.engine.step_all()
    assert len(fleet.offered()) == 1


@pytest.mark.parametrize(
    ("first", "act"), [("abort", "pause"), ("abort", "resume"), ("undo", "undo"), ("undo", "abort")]
)
def test_an_act_that_makes_no_sense_is_refused(fleet, first, act):
    rollout = start(fleet)
    getattr(fleet.rollouts, first)(rollout, actor="ada", reason="x")
    with pytest.raises(ConflictError, match=f"{act} needs one that is"):
        getattr(fleet.rollouts, act)(rollout, actor="ada", reason="x")
    with pytest.raises(NotFoundError, match="no rollout named 'nope'"):
        fleet.rollouts.pause("nope", actor="ada", reason="x")


def test_every_act_is_in_the_audit_chain_under_one_correlation(fleet):
    rollout = start(fleet)
    fleet.rollouts.pause(rollout, actor="ada", reason="lunch")
    with fleet.database.transaction() as connection:
        entries = audit.newest(connection, correlation="trace-1")
        assert audit.verify(connection).broken is None
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("ada", "rollout.pause"),
        ("policy:rollout", "rollout.widen"),
        ("ada", "rollout.start"),
    ]
    assert entries[0]["detail"] == {"reason": "lunch", "was": "running"}


def finish(world: World, rollout: str) -> None:
    for _ in range(9):
        if world.state(rollout) != "running":
            return
        for name, state in world.standings(rollout).items():
            if state == "offered":
                world.commit(name)
        world.engine.step_all()
    raise AssertionError(f"{rollout} does not end: {world.reason(rollout)}")


def test_patience_is_real_time_however_fast_the_clock_runs():
    day_s = 86_400
    now = time.time()
    began = datetime.fromtimestamp(now - 365 * day_s, UTC).isoformat()
    fast = Clock.parse(f"{began},40000,{now}")
    assert clock_span_us(fast, 60) == 60 * 40_000 * 1_000_000
    caught_up = Clock.parse(f"{datetime.fromtimestamp(now - 4 * day_s, UTC).isoformat()},40000,{now - 3600}")
    assert clock_span_us(caught_up, 60) == 60_000_000
    assert clock_span_us(Clock.real(), 60) == 60_000_000
