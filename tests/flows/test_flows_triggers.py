"""A trigger starts one training, whoever looks at it and however often; what passes goes on by itself, or waits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from rollout_world import World

from cloud_hub.errors import ConflictError
from cloud_hub.flows import runs, triggers
from cloud_hub.flows.admission import Admission
from cloud_hub.flows.champion import set_champion
from cloud_hub.hub import assemble
from models.use_case import find

USE_CASE = "motor-health"
ACTOR = triggers.ACTOR


@pytest.fixture
def world(database):
    made = World(database)
    yield made
    made.close()


@pytest.fixture
def hub(world, hub):
    """The hub on a clock set by hand, with a champion and a use case of its own settings."""
    world.add_devices("edge-1", "edge-2", "edge-3", "edge-4")
    world.add_release(1)
    with hub.database.transaction() as connection:
        set_champion(connection, USE_CASE, f"{USE_CASE}/1")
    made = assemble(hub.config, hub.database, world.clock)
    declare(made)
    world.clock.pass_hours(48)
    return made


def declare(hub, retrain="failures = 2", more=""):
    """Motor-health as this hub declares it."""
    use_case = find(USE_CASE)
    signals = ", ".join(
        f'{{ name = "{each.name}", unit = "{each.unit}", kind = "{each.kind}" }}' for each in use_case.signals
    )
    hub.config.use_cases.mkdir(exist_ok=True)
    (hub.config.use_cases / f"{USE_CASE}.toml").write_text(
        f'title = "Pumps"\nmachine_class = "motor-pump"\nfeature_set = "{use_case.feature_set}"\n'
        f'task = "remaining-life"\nsignals = [{signals}]\n[life]\nmeasured_in = "time"\nunit = "h"\ncap = 250.0\n'
        f'[costs]\ncurrency = "EUR"\nfailure = 1\nplanned = 1\nfalse_alarm = 1\n[retrain]\n{retrain}\n{more}\n'
    )


def failures(hub, count):
    now = hub.clock.now()
    for number in range(count):
        hub.database.execute(
            "INSERT INTO label (machine, time, kind, source, added) "
            "SELECT id, %(time)s, 'failure', 'test', %(now)s FROM machine WHERE name = 'edge-1-pump'",
            {"time": now - timedelta(minutes=number), "now": now},
        )


def trained(hub):
    return hub.database.rows("SELECT * FROM run WHERE id LIKE '%%-run-%%' ORDER BY id")


def checks(hub):
    return hub.database.rows("SELECT * FROM trigger_check ORDER BY id")


def passed(world, hub, version=2):
    """A model that the gate let pass, of a training that a trigger had started."""
    release = world.add_release(version, state="candidate", gate={"passed": True})
    hub.database.execute(
        'UPDATE run SET settings = \'{"why": "2 new failures"}\' WHERE id = %(run)s',
        {"run": f"run-{version}"},
    )
    return release


def state_of(hub, release):
    return hub.database.row("SELECT state FROM model WHERE release = %(r)s", {"r": release})["state"]


def test_new_failures_start_one_training_with_its_reason_under_one_correlation(hub):
    triggers.execute(hub, USE_CASE)
    assert trained(hub) == []
    failures(hub, 2)
    hub.clock.pass_hours(1)
    triggers.execute(hub, USE_CASE)
    (run,) = trained(hub)
    assert run["settings"] == {"why": "2 new failures"}
    (check,) = [row for row in checks(hub) if row["run"]]
    assert (check["run"], check["reasons"], check["release"]) == (
        run["id"],
        ["2 new failures"],
        f"{USE_CASE}/1",
    )
    audit = hub.database.row("SELECT * FROM audit WHERE action = 'retrain.request'")
    assert (audit["actor"], audit["correlation"]) == (ACTOR, run["correlation"])


def test_two_hubs_that_look_at_once_start_one_training(hub):
    failures(hub, 2)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: triggers.execute(hub, USE_CASE), range(4)))
    assert len(trained(hub)) == 1


def test_a_training_that_fails_is_not_started_again_before_it_has_cooled_down(hub):
    failures(hub, 2)
    triggers.execute(hub, USE_CASE)
    (run,) = trained(hub)
    runs.fail(hub, run["id"], "too few machines")
    hub.clock.pass_hours(23)
    triggers.execute(hub, USE_CASE)
    assert checks(hub)[-1]["held"].startswith(f"{run['id']} was the last training: cooling down until")
    assert len(trained(hub)) == 1
    hub.clock.pass_hours(2)
    triggers.execute(hub, USE_CASE)
    assert len(trained(hub)) == 2


def test_quiet_looks_leave_one_row_and_are_due_once_an_hour(hub):
    assert USE_CASE in triggers.due(hub)
    for _ in range(3):
        triggers.execute(hub, USE_CASE)
        assert USE_CASE not in triggers.due(hub)
        hub.clock.pass_hours(1)
        assert USE_CASE in triggers.due(hub)
    assert len(checks(hub)) == 1


def test_a_use_case_without_triggers_is_never_looked_at(hub):
    declare(hub, retrain="")
    assert USE_CASE not in triggers.due(hub)


def test_a_use_case_that_cannot_be_read_keeps_no_other_from_being_looked_at(hub):
    (hub.config.use_cases / "broken.toml").write_text("title = ")
    assert USE_CASE in triggers.due(hub)


def test_drift_that_cannot_be_told_is_said_and_starts_nothing(hub):
    declare(hub, retrain="drift = {}")
    triggers.execute(hub, USE_CASE)
    (check,) = checks(hub)
    assert check["run"] is None
    assert "network of motor-health/1 cannot be read" in check["figures"]["why_not"]


def test_a_trigger_never_trains_on_a_dataset_that_was_learnt_from_but_a_person_may(hub, world):
    hub.database.execute(
        "INSERT INTO dataset VALUES ('d-1', 'motor-health', 'ab', 'x', 1, 1, 1, 'trend/1', '{}', now())"
    )
    hub.database.execute("UPDATE run SET dataset = 'd-1'")
    failures(hub, 2)
    triggers.execute(hub, USE_CASE)
    (run,) = trained(hub)
    with pytest.raises(ConflictError, match="run-1 has learnt from d-1 already"):
        runs.own(hub, run["id"]).begin_with("d-1")
    hub.database.execute("UPDATE run SET settings = '{}' WHERE id = %(run)s", {"run": run["id"]})
    runs.own(hub, run["id"]).begin_with("d-1")


def test_what_passes_goes_to_a_canary_by_itself_under_the_correlation_of_its_run(hub, world):
    declare(hub, 'failures = 2\nadmitted = "canary"\ncanary = { waves = ["1", "100%"], soak_hours = 6 }')
    release = passed(world, hub)
    admission = Admission(hub)
    admission.tend()
    admission.tend()
    assert state_of(hub, release) == "approved"
    assert [row["person"] for row in hub.database.rows("SELECT person FROM approval")] == [ACTOR]
    hub.database.execute(
        "UPDATE model SET state = 'released', bundle_path = 'b.zip', bundle_sha256 = 'ab' WHERE version = 2"
    )
    admission.tend()
    admission.tend()
    (rollout,) = hub.database.rows("SELECT * FROM rollout")
    assert (rollout["release"], rollout["created_by"], rollout["correlation"]) == (release, ACTOR, "trace-2")
    assert (rollout["plan"]["waves"], rollout["plan"]["soak_hours"]) == (["1", "100%"], 6)
    world.engine.step(rollout["id"])
    assert len(world.offered()) == 1
    failures(hub, 2)
    hub.clock.pass_hours(48)
    triggers.execute(hub, USE_CASE)
    assert checks(hub)[-1]["held"] == f"rollout {rollout['id']} is under way"


@pytest.mark.parametrize("more", ["", "[approval]\npeople = 2", "[approval]\nauthor_may = false"])
def test_what_passes_waits_for_people_where_the_use_case_asks_for_them(hub, world, more):
    declare(hub, "failures = 2", more)
    release = passed(world, hub)
    Admission(hub).tend()
    assert state_of(hub, release) == "candidate"
    assert hub.database.rows("SELECT * FROM approval") == []


def test_what_a_person_had_trained_is_no_matter_of_the_policy(hub, world):
    declare(hub, 'failures = 2\nadmitted = "canary"')
    release = world.add_release(2, state="candidate", gate={"passed": True})
    Admission(hub).tend()
    assert state_of(hub, release) == "candidate"


def test_a_rollout_that_a_person_ended_is_not_started_again(hub, world):
    declare(hub, 'failures = 2\nadmitted = "canary"')
    release = passed(world, hub)
    admission = Admission(hub)
    admission.tend()
    hub.database.execute(
        "UPDATE model SET state = 'released', bundle_path = 'b.zip', bundle_sha256 = 'ab' WHERE version = 2"
    )
    admission.tend()
    (rollout,) = hub.database.rows("SELECT id FROM rollout WHERE release = %(r)s", {"r": release})
    hub.rollouts.abort(rollout["id"], actor="ada", reason="not today")
    admission.tend()
    assert len(hub.database.rows("SELECT * FROM rollout")) == 1
