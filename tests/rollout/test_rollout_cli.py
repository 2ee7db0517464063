"""`andon rollout`, `andon device` and `andon audit`: what they print, and how they exit."""

import json
from threading import Thread

import pytest
from rollout_world import USE_CASE, World
from typer.testing import CliRunner

from cloud_hub.config import CONFIG_VARIABLE
from cloud_hub.device_cli import device_app
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.governance.cli import audit_app
from cloud_hub.rollout.cli import rollout_app
from cloud_hub.rollout.plan import PlanError
from cloud_hub.store import quarantine_cli

RELEASE = f"{USE_CASE}/1"


@pytest.fixture
def fleet(world: World, database, tmp_path, monkeypatch) -> World:
    file = tmp_path / "hub.toml"
    file.write_text(f"database_url = {json.dumps(database)}\n")
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    world.add_devices("edge-1", "edge-2")
    world.add_release(1)
    return world


def call(app, *words, status=0):
    ended = CliRunner().invoke(app, [*words])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == status, ended.output
    return ended.output


def asked(app, *words, status=0):
    return json.loads(call(app, *words, "--json", status=status))


def test_start_says_what_it_began(fleet):
    said = call(
        rollout_app, "start", RELEASE, "--wave", "1", "--wave", "100%", "--soak", "2", "--tolerate", "5%"
    )
    assert said == "rollout motor-health-1.1: motor-health/1 to 2 devices in 2 waves\n"
    detail = asked(rollout_app, "status", "motor-health-1.1")
    assert detail["rollout"]["plan"]["tolerated"] == 0.05
    assert detail["rollout"]["plan"]["soak_hours"] == 2
    assert [wave["state"] for wave in detail["waves"]] == ["waiting", "waiting"]
    assert [row["id"] for row in asked(rollout_app, "list")] == ["motor-health-1.1"]
    assert "running" in call(rollout_app, "list")


def test_start_with_json_prints_the_whole_rollout(fleet):
    detail = asked(rollout_app, "start", RELEASE, "--device", "edge-2")
    assert [row["device"] for row in detail["devices"]] == ["edge-2"]


def test_a_watched_rollout_that_is_done_exits_0(fleet):
    call(rollout_app, "start", RELEASE, "--wave", "100%")
    fleet.engine.step_all()
    for name in ("edge-1", "edge-2"):
        fleet.commit(name)
    fleet.engine.step_all()
    seen = asked(rollout_app, "status", "motor-health-1.1", "--watch")
    assert seen["rollout"]["state"] == "done"
    assert "devices" not in seen
    detail = asked(rollout_app, "status", "motor-health-1.1")
    assert {row["running"] for row in detail["devices"]} == {RELEASE}
    assert [wave["state"] for wave in detail["waves"]] == ["passed"]


def test_a_watched_rollout_that_halted_exits_3_and_says_why(fleet):
    call(rollout_app, "start", RELEASE)
    fleet.engine.step_all()
    fleet.report("edge-1", "rolled-back", reason="a third of its outputs were out of range")
    fleet.engine.step_all()
    said = call(rollout_app, "status", "motor-health-1.1", "--watch", status=3)
    assert "a third of its outputs were out of range" in said
    assert "halted" in said
    detail = asked(rollout_app, "status", "motor-health-1.1")
    assert [wave["state"] for wave in detail["waves"]] == ["failed", "waiting"]
    assert [each["action"] for each in detail["history"]] == [
        "rollout.start",
        "rollout.widen",
        "rollout.halt",
    ]


def test_acts_take_a_reason_and_leave_it_in_the_audit_chain(fleet):
    call(rollout_app, "start", RELEASE)
    said = call(rollout_app, "pause", "motor-health-1.1", "--reason", "shift change")
    assert said == "rollout motor-health-1.1 is paused\n"
    call(rollout_app, "resume", "motor-health-1.1")
    assert asked(rollout_app, "abort", "motor-health-1.1", "--reason", "wrong one")["state"] == "aborted"
    call(rollout_app, "undo", "motor-health-1.1", "--reason", "clean up")
    entries = asked(audit_app, "list", "--subject", "motor-health-1.1")
    acts = ["rollout.undo", "rollout.abort", "rollout.resume", "rollout.pause", "rollout.start"]
    assert [entry["action"] for entry in entries] == acts
    assert entries[1]["detail"]["reason"] == "wrong one"
    assert "5 entries, unbroken" in call(audit_app, "verify")
    paused = call(audit_app, "list").splitlines()[-2]
    assert "rollout.pause" in paused
    assert paused.endswith("motor-health-1.1  reason: shift change; was: running")
    number = str(entries[-1]["id"])
    assert asked(audit_app, "show", number) == entries[-1]
    assert '"soak_hours": 0.0' in call(audit_app, "show", number)
    with pytest.raises(NotFoundError, match="no audit entry named 99: `andon audit list` shows"):
        call(audit_app, "show", "99")


def test_an_empty_audit_chain_says_what_makes_an_entry(fleet):
    assert call(audit_app, "list") == "no decisions yet: `andon model train USE_CASE` makes one\n"
    assert call(audit_app, "list", "--subject", "m/1") == "no decisions like that\n"
    assert asked(audit_app, "list") == []


def test_an_act_without_a_reason_is_wrong_usage(fleet):
    call(rollout_app, "start", RELEASE)
    call(rollout_app, "abort", "motor-health-1.1", status=2)


def test_a_broken_chain_exits_1(fleet):
    call(rollout_app, "start", RELEASE)
    fleet.database.execute("UPDATE audit SET actor = 'eve'")
    assert asked(audit_app, "verify", status=1)["broken"] == 1
    assert "broken at entry 1" in call(audit_app, "verify", status=1)


@pytest.mark.parametrize(
    ("words", "error", "why"),
    [
        (["start", RELEASE, "--wave", "none"], PlanError, "expected a wave"),
        (
            ["start", RELEASE, "--tolerate", "lots"],
            PlanError,
            "expected a share such as 0.05 or 5%, got 'lots'",
        ),
        (["start", "motor-health"], PlanError, "expected a release"),
        (["start", f"{USE_CASE}/9"], NotFoundError, "no release named 'motor-health/9'"),
        (["status", "nope"], NotFoundError, "no rollout named 'nope'"),
        (["start", RELEASE, "--site", "mars"], PlanError, "selects no device: sites mars: nobody matches"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(fleet, words, error, why):
    with pytest.raises(error, match=why):
        call(rollout_app, *words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--tolerate", "10%", "--succeed", "95%"], "95% of a wave has to succeed and 10% of it may fail"),
        (["--approve-before", "4"], "approval before wave 4: expected a wave from 1 to 3"),
        (["--approve-before", "soon"], "expected the number of a wave, or all, got soon"),
        (["--at-once", "0"], "at least 1 device at once"),
        (["--window", "at night"], "expected a window like"),
        (["--target", "jetson-orin"], "selects no device: targets jetson-orin: nobody matches"),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused_and_nothing_is_started(fleet, words, why):
    with pytest.raises(PlanError, match=why):
        call(rollout_app, "start", RELEASE, *words)
    assert asked(rollout_app, "list") == []


def test_a_dry_run_says_what_would_happen_and_starts_nothing(fleet):
    fleet.add_devices("edge-3")
    call(device_app, "pin", "edge-3", USE_CASE, "--reason", "reference")
    plan = ["start", RELEASE, "--wave", "1", "--wave", "100%", "--approve-before", "2", "--dry-run"]
    assert call(rollout_app, *plan).splitlines() == [
        "motor-health/1 to 2 devices in 2 waves; nothing was started",
        "  wave 1, 1 devices: edge-1",
        "  wave 2, 1 devices, once it is approved: edge-2",
        "  left out, pinned: edge-3",
    ]
    ahead = asked(rollout_app, *plan, "--window", "daily 00:00-24:00")
    assert list(ahead["opens"]) == ["UTC"]
    assert ahead["waves"][1] == {"wave": 2, "approval": True, "devices": ["edge-2"]}
    assert ahead["left_out"] == [{"device": "edge-3", "why": "pinned", "detail": "reference"}]
    assert asked(rollout_app, "list") == []


def test_a_rollout_that_awaits_approval_ends_the_watch_with_4_and_is_approved(fleet):
    call(rollout_app, "start", RELEASE, "--approve-before", "all")
    fleet.engine.step_all()
    said = call(rollout_app, "status", "motor-health-1.1", "--until-approval", status=4)
    assert "awaiting, wave 0 of 2: 2 waiting; awaits approval of wave 1" in said
    said = call(rollout_app, "approve", "motor-health-1.1", "--reason", "go")
    assert said == "rollout motor-health-1.1 is running\n"


def test_every_change_is_an_object_on_a_line_of_its_own(fleet):
    call(rollout_app, "start", RELEASE)
    fleet.engine.step_all()
    fleet.report("edge-1", "failed", reason="no space left")
    lines = []
    watcher = Thread(
        target=lambda: lines.extend(
            call(rollout_app, "status", "motor-health-1.1", "--watch", "--json", status=3).splitlines()
        )
    )
    watcher.start()
    watcher.join(0.3)
    fleet.engine.step_all()
    watcher.join()
    seen = [json.loads(line) for line in lines]
    assert [each["rollout"]["state"] for each in seen][-1] == "halted"
    assert all("devices" not in each for each in seen)
    assert seen[-1]["rollout"]["seconds_to_halt"] == 0


def test_a_long_status_lists_who_failed_first_and_says_how_many_more_there_are(fleet):
    fleet.add_devices(*(f"more-{n:02}" for n in range(30)))
    call(rollout_app, "start", RELEASE, "--wave", "100%", "--tolerate", "5%")
    fleet.engine.step_all()
    fleet.report("more-29", "rolled-back", reason="worse than before")
    fleet.engine.step_all()
    said = call(rollout_app, "status", "motor-health-1.1").splitlines()
    assert "more-29" in said[3]
    assert "  and 12 more: --all lists every device" in said
    assert "more-28" in call(rollout_app, "status", "motor-health-1.1", "--all")
    assert len(asked(rollout_app, "status", "motor-health-1.1")["devices"]) == 32


def test_a_halt_says_how_long_the_first_failure_took_to_stop_it(fleet):
    call(rollout_app, "start", RELEASE)
    fleet.engine.step_all()
    fleet.report("edge-1", "failed")
    fleet.clock.pass_hours(0.01)
    fleet.engine.step_all()
    assert ", halted 36.0 s later" in call(rollout_app, "status", "motor-health-1.1")


def test_a_pinned_device_is_listed_and_shown_as_such(fleet):
    said = call(device_app, "pin", "edge-1", USE_CASE, "--reason", "reference machine")
    assert said == "device edge-1 is pinned for motor-health\n"
    assert asked(device_app, "show", "edge-1")["device"]["pins"] == {USE_CASE: "reference machine"}
    assert "reference machine" in call(device_app, "show", "edge-1")
    assert "pinned for motor-health" in call(device_app, "list")
    assert asked(device_app, "unpin", "edge-1", USE_CASE)["pins"] == {}
    with pytest.raises(NotFoundError, match="no use case named 'motor-helath'"):
        call(device_app, "pin", "edge-1", "motor-helath", "--reason", "slip")


def test_a_device_is_shown_with_its_releases_journal_and_rejections(fleet):
    call(rollout_app, "start", RELEASE)
    fleet.engine.step_all()
    fleet.report("edge-1", "downloading")
    fleet.commit("edge-1")
    fleet.database.execute(
        """INSERT INTO quarantine (device, topic, reason, detail, payload, sha256, bytes, received)
           SELECT id, 't', 'ColumnMismatch', 'expected 3 values, got 4', '', '', 1, added
             FROM device WHERE name = 'edge-1'"""
    )
    shown = asked(device_app, "show", "edge-1")
    assert [row["state"] for row in shown["journal"]] == ["committed", "downloading"]
    assert shown["device"]["releases"][0]["release"] == RELEASE
    assert [(row["reason"], row["count"], row["waiting"]) for row in shown["rejections"]] == [
        ("ColumnMismatch", 1, 1)
    ]
    said = call(device_app, "show", "edge-1")
    assert "expected 3 values, got 4" in said
    assert "committed" in said
    assert [row["name"] for row in asked(device_app, "list")] == ["edge-1", "edge-2"]
    assert "edge-2" in call(device_app, "list")


def test_what_a_device_says_cannot_act_on_the_terminal(fleet):
    evil = "\x1b[2J[/red]\r\u202e"
    fleet.database.execute("UPDATE device SET agent_version = %(evil)s", {"evil": evil})
    fleet.database.execute(
        """INSERT INTO quarantine (device, topic, reason, detail, payload, sha256, bytes, received)
           SELECT id, 't', 'WrongFeatureSet', %(evil)s, '', '', 1, added FROM device WHERE name = 'edge-1'""",
        {"evil": evil},
    )
    for said in (call(device_app, "show", "edge-1"), call(quarantine_cli.quarantine, "list")):
        assert not set("\x1b\r\u202e") & set(said)
        assert "[/red]" in said


def test_a_retired_device_is_listed_as_such_and_no_longer_selected(fleet):
    call(device_app, "retire", "edge-1", "--reason", "scrapped")
    assert "retired" in call(device_app, "list")
    detail = asked(rollout_app, "start", RELEASE)
    assert [row["device"] for row in detail["devices"]] == ["edge-2"]
    with pytest.raises(ConflictError, match="'edge-1' is retired already"):
        call(device_app, "retire", "edge-1", "--reason", "again")
    with pytest.raises(NotFoundError, match="no device named 'edge-9'"):
        call(device_app, "retire", "edge-9", "--reason", "never was")
