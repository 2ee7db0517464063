"""An update from the offer to its end, against a hub that signs and serves for real."""

import threading
import time

import numpy as np
import pytest
from update_parts import HOUR_US, NAMES, USE_CASE, Device, HastyDisk, Linear, enrolled

from edge_agent.updates import Features, offers


def test_a_good_release_is_installed_watched_and_kept(hub, device):
    hub.publish(2)
    assert device.offer(hub.offer(2)) == "probation"
    assert (device.release, device.updates.shadow(USE_CASE).release) == ("motor-health/2", "motor-health/1")
    assert device.prove() == "committed"
    assert device.release == "motor-health/2"
    assert device.updates.shadow(USE_CASE) is None
    assert device.told == ["accepted", "downloading", "verifying", "installing", "probation", "committed"]
    assert {(report.rollout, report.correlation, report.release) for report in device.reports} == {
        ("r1", "c1", "motor-health/2")
    }


@pytest.mark.parametrize(
    ("made", "features", "reason"),
    [
        ({"offset": 900.0}, (1.0, 2.0), "disagreement"),
        ({"offset": 5000.0}, (1.0, 2.0), "out of range"),
        ({}, (float("nan"), 2.0), "out of range"),
    ],
    ids=["says something else", "leaves its range", "answers NaN"],
)
def test_a_bad_release_undoes_itself_and_says_why(hub, device, made, features, reason):
    hub.publish(2, **made)
    device.offer(hub.offer(2))
    device.predict(8, features)
    assert device.settle() == "rolled-back"
    assert device.release == "motor-health/1"
    unhealthy = next(report for report in device.reports if report.event == "unhealthy")
    assert reason in unhealthy.reason
    assert unhealthy.evidence["predictions"] >= 4
    assert device.last.reason == unhealthy.reason


def test_a_model_that_raises_is_rolled_back(hub, device):
    hub.publish(2)
    device.offer(hub.offer(2))
    for _ in range(2):
        device.updates.observe(
            USE_CASE, np.zeros((1, 2), np.float32), None, None, seconds=0.1, error=RuntimeError("no")
        )
    assert device.settle() == "rolled-back"


def test_the_same_failed_directive_is_not_tried_again_and_a_new_one_is(hub, device):
    hub.publish(2, offset=900.0)
    bad = hub.offer(2)
    device.commit(bad)
    device.reports.clear()
    device.offer(bad)
    assert (device.state, device.reports) == ("rolled-back", [])
    hub.publish(3)
    device.commit(hub.offer(3))
    assert device.release == "motor-health/3"


def test_a_first_install_that_fails_leaves_nothing_running(hub, tmp_path):
    device = Device(state_dir=tmp_path / "d", identity=enrolled(hub, tmp_path / "d"))
    hub.fingerprint = device.identity.key_fingerprint
    device.boot()
    hub.publish(1, offset=5000.0)
    assert device.offer(hub.offer(1)) == "probation"
    assert device.prove() == "rolled-back"
    assert device.release is None
    assert device.boot().running() == {}


def test_undo_goes_back_without_a_download_and_without_probation(hub, device):
    hub.publish(2)
    device.commit(hub.offer(2))
    hub.target_file(1).unlink()  # the hub could not even serve it
    device.offer(hub.offer(1, mode="undo"))
    assert (device.state, device.release) == ("committed", "motor-health/1")


def test_undo_downloads_what_no_slot_holds_any_more(hub, device):
    for version in (2, 3):
        hub.publish(version)
        device.commit(hub.offer(version))
    device.offer(hub.offer(1, mode="undo"))
    assert (device.state, device.release) == ("committed", "motor-health/1")


def test_what_runs_already_is_committed_at_once(hub, device):
    device.offer(hub.offer(1))
    assert device.told == ["accepted", "committed"]


def test_a_newer_directive_during_probation_rolls_back_first(hub, device):
    hub.publish(2)
    hub.publish(3)
    device.offer(hub.offer(2))
    device.commit(hub.offer(3))
    assert device.release == "motor-health/3"
    assert device.told[5:9] == ["rolling-back", "rolled-back", "accepted", "downloading"]


def test_a_replayed_old_directive_during_probation_changes_nothing(hub, device):
    replayed = hub.offer(1)
    hub.publish(2)
    device.offer(hub.offer(2))
    device.offer(replayed)
    assert (device.state, device.last.state, device.last.directive_sequence) == ("probation", "refused", 0)
    assert device.prove() == "committed"


def test_probation_waits_for_its_hours_of_clock_time(hub, device):
    device.limits = device.limits.model_copy(update={"hours": 2.0})
    device.boot()
    hub.publish(2)
    device.offer(hub.offer(2))
    assert device.prove() == "probation"
    device.clock.ahead_us += 2 * HOUR_US
    assert device.prove() == "committed"


def test_a_power_cut_on_probation_resumes_it_and_a_second_restart_ends_it(hub, device):
    hub.publish(2)
    device.offer(hub.offer(2))
    device.predict(3)
    device.boot()
    assert (device.state, device.release) == ("probation", "motor-health/2")
    device.predict(3)
    assert device.settle() == "probation"  # its count began anew
    device.boot()
    assert (device.state, device.release) == ("rolled-back", "motor-health/1")


def test_a_crash_on_probation_ends_it_and_orderly_stops_do_not(hub, device):
    hub.publish(2)
    device.offer(hub.offer(2))
    for _ in range(3):
        device.updates.stop()
        device.boot()
    assert device.state == "probation"
    device.updates.stop(crashed=True)
    device.boot()
    device.updates.turn()
    assert (device.state, device.release) == ("rolled-back", "motor-health/1")
    assert "crashed" in device.last.reason


def test_a_damaged_slot_falls_back_to_the_release_before(hub, device):
    hub.publish(2)
    device.commit(hub.offer(2))
    (damaged,) = (device.state_dir / "updates" / "slots" / USE_CASE / "b").glob("*.zip")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    device.boot()
    assert (device.state, device.release) == ("rolled-back", "motor-health/1")


def test_a_hub_that_is_away_is_asked_again_until_the_directive_expires(hub, device):
    hub.publish(2)
    offered = hub.offer(2)
    moved = hub.target_file(2).rename(hub.state_dir / "moved")
    device.offer(offered)
    assert device.last.event == "retrying"
    moved.rename(hub.target_file(2))
    time.sleep(1.05)
    assert device.settle() == "probation"
    device.prove()
    hub.publish(3)
    offered = hub.offer(3)
    hub.target_file(3).unlink()
    device.offer(offered)
    device.clock.ahead_us += 48 * HOUR_US
    time.sleep(1.05)
    assert device.settle() == "refused"
    assert "404" in device.last.reason


def test_a_hub_that_cannot_be_reached_is_reported_once_not_at_every_try(hub, device):
    hub.publish(2)
    offered = hub.offer(2)
    hub.server.shutdown()
    hub.server.server_close()
    device.offer(offered)
    time.sleep(1.05)
    device.settle()
    time.sleep(2.05)
    device.settle()
    assert device.state == "downloading"
    (retrying,) = [report for report in device.reports if report.event == "retrying"]
    assert "refused" in retrying.reason
    assert " at 0x" not in retrying.reason


class FullDisk(HastyDisk):
    """Takes nothing of what is for one file."""

    def __init__(self, file):
        self.file = file

    def create(self, path, content):
        self.look(path)
        super().create(path, content)

    def extend(self, path, content):
        self.look(path)
        super().extend(path, content)

    def look(self, path):
        if self.file and path.name.startswith(self.file):
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("file", ["known-directors", "journal"])
def test_a_directive_that_came_while_the_disk_was_full_is_followed_when_there_is_room(
    hub, device, monkeypatch, file
):
    monkeypatch.setattr(offers, "AGAIN_S", 0.0)
    disk = FullDisk("")
    device.boot(disk)
    hub.publish(2)
    with monkeypatch.context() as full:
        full.setattr(disk, "file", file)
        assert device.offer(hub.offer(2)) == "committed", "of the release before"
    assert device.settle() == "probation"
    assert device.updates.running()[USE_CASE].release == "motor-health/2"


def test_a_report_that_cannot_be_taken_stays_and_comes_later(hub, device):
    device.full = True
    hub.publish(2)
    device.offer(hub.offer(2))
    assert (device.state, device.reports) == ("probation", [])
    device.full = False
    device.boot()
    device.updates.turn()
    assert device.told[:5] == ["accepted", "downloading", "verifying", "installing", "probation"]


def test_the_thread_does_all_of_it_beside_the_pipeline(hub, device):
    hub.publish(2)
    others = threading.active_count()
    device.updates.start()
    device.updates.offer(USE_CASE, hub.offer(2))
    deadline = time.monotonic() + 10
    while (device.state, device.release) != ("committed", "motor-health/2") and time.monotonic() < deadline:
        device.predict(1)
        time.sleep(0.01)
    device.updates.stop()
    assert (device.state, device.release) == ("committed", "motor-health/2")
    assert threading.active_count() < others + 5


def test_features_of_another_name_or_set_are_refused_before_a_slot_is_touched(hub, device):
    hub.publish(2)
    device.features = {
        "motor-pump": Features(feature_set="vibration-trend/1", names=(NAMES[0], "other"), units=("1", "1"))
    }
    device.boot()
    device.offer(hub.offer(2))
    assert device.state == "refused"
    assert "'other'" in device.last.reason
    assert "vibration.kurtosis" in device.last.reason


def test_an_engine_that_answers_otherwise_here_fails_its_golden_test(hub, device):
    wrong = Linear(np.array([1, 0, 0, 0, 50, 0.5], dtype="<f4").tobytes()).run(
        np.array([[1, 2], [3, 4]], dtype=np.float32)
    )
    hub.publish(2, golden=wrong)
    device.offer(hub.offer(2))
    assert (device.state, device.release) == ("failed", "motor-health/1")
    assert "golden input 0: expected remaining_life 51" in device.last.reason


def test_the_report_of_a_switch_says_what_runs_the_release(hub, device):
    hub.publish(2)
    device.offer(hub.offer(2))
    (installed,) = [
        report
        for report in device.reports
        if (report.event, report.release) == ("installed", "motor-health/2")
    ]
    assert (installed.evidence["runner"], installed.evidence["precision"]) == ("linear", "fp32")


def test_what_runs_a_network_is_reported_beside_the_states_and_moves_none(hub, device):
    before, told = device.state, len(device.reports)
    evidence = {"runner": "onnxruntime-cpu", "precision": "fp32"}
    device.updates.note(
        USE_CASE, "fell-back", "onnxruntime-cpu fp32 answers instead of tensorrt fp16", evidence
    )
    device.full = True
    device.updates.turn()
    device.full = False
    device.boot()
    device.updates.turn()
    (report,) = device.reports[told:]
    assert (report.event, report.state, report.release) == ("fell-back", before, "motor-health/1")
    assert (report.directive_sequence, report.evidence) == (0, evidence)
    assert device.state == before
