"""What fleets complain about elsewhere, as far as a device can be the cause: each complaint is a test."""

import threading
import time

import numpy as np
import pytest
from update_parts import HOUR_US, USE_CASE, HastyDisk, Linear

from edge_agent.updates.fetcher import CHUNK
from edge_agent.updates.installer import LONGEST_RETRY_S, PROBATION_POLL_S
from edge_agent.updates.journal import ENTRIES_KEPT, Journal
from edge_agent.updates.journalled import Journalled
from edge_agent.updates.telling import history
from edge_agent.updates.updates import journal_file
from wire.bundle import Bundle, write_bundle


def test_success_is_not_reported_before_health_was_shown(hub, device):
    """hawkbit#3185, rauc-hawkbit-updater#161: success recorded before boot or health."""
    device.limits = device.limits.model_copy(update={"hours": 1.0})
    device.boot()
    hub.publish(2)
    device.offer(hub.offer(2))
    device.prove()
    device.boot()
    device.prove()
    assert "committed" not in device.told
    device.clock.ahead_us += HOUR_US
    device.prove()
    assert device.told.count("committed") == 1
    assert device.last.evidence["hours"] >= 1.0


def test_a_failed_directive_is_never_tried_again_whatever_happens(hub, device):
    """hawkbit#1770, hawkbit#2558, greengrass-nucleus#1203: applied again and again."""
    hub.publish(2, offset=900.0)
    bad = hub.offer(2)
    device.commit(bad)
    device.reports.clear()
    journal = Journal(journal_file(device.state_dir), HastyDisk())
    for _ in range(ENTRIES_KEPT + 1):
        journal.put(journal.record(USE_CASE))
    for _ in range(3):
        device.boot()
        device.offer(bad)  # the hub sends it at every birth
        device.predict(8)
        device.updates.turn()
    assert (device.state, device.release, device.reports) == ("rolled-back", "motor-health/1", [])


def test_the_same_release_under_a_newer_directive_is_tried_and_told_as_another_try(hub, device):
    hub.publish(2, offset=900.0)
    device.commit(hub.offer(2))
    device.boot()
    device.reports.clear()
    assert device.offer(hub.offer(2)) == "probation"
    again = device.reports[0]
    assert (again.state, again.directive_sequence) == ("accepted", 3)
    assert "again, although directive 2 failed: expected a disagreement" in again.reason


def test_an_update_that_is_stuck_is_ended_by_the_next_directive(hub, device):
    """greengrass-nucleus#1161, hawkbit#1770: stuck, and not cancellable."""
    hub.publish(2)
    hub.publish(3)
    stuck = hub.offer(2)
    hub.target_file(2).unlink()
    assert device.offer(stuck) == "downloading"
    device.commit(hub.offer(3))
    assert (device.state, device.release) == ("committed", "motor-health/3")
    assert next(report for report in device.reports if report.event == "superseded").directive_sequence == 2


def test_an_update_that_nobody_ends_ends_itself_when_its_directive_does(hub, device, monkeypatch):
    hub.publish(2)
    stuck = hub.offer(2)
    hub.target_file(2).unlink()
    device.offer(stuck)
    device.clock.ahead_us += 25 * HOUR_US
    monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + LONGEST_RETRY_S)
    assert device.settle() == "refused"
    assert "while it waited" in device.last.reason


def test_an_older_release_that_was_signed_once_is_not_gone_back_to_unasked(hub, device):
    """rugix#121: an old signed artifact accepted."""
    old = hub.offer(1)
    hub.publish(2)
    device.commit(hub.offer(2))
    device.offer(old)
    assert (device.release, device.last.state) == ("motor-health/2", "refused")
    assert "already accepted" in device.last.reason


def test_why_it_went_back_is_answered_on_the_device_after_a_restart(hub, device):
    """meta-balena#1918: "why did it roll back?" unanswered."""
    hub.publish(2, offset=900.0)
    device.commit(hub.offer(2))
    device.boot()
    (row,) = history(journal_file(device.state_dir))["use_cases"]
    assert "expected a disagreement with the old model of at most 0.5 in remaining_life" in row["reason"]
    assert row["failures"][2]["release"] == "motor-health/2"
    assert row["failures"][2]["reason"] == row["reason"]
    assert (row["state"], row["running"], row["since"][-1]) == ("rolled-back", "motor-health/1", "Z")
    events = [step["event"] for step in row["steps"]]
    assert events[-7:] == [
        "offered",
        "started",
        "downloaded",
        "verified",
        "installed",
        "unhealthy",
        "restored",
    ]
    assert (row["steps"][-1]["reason"], row["steps"][-1]["directive_sequence"]) == (row["reason"], 2)


@pytest.mark.parametrize("restarts", [0, 1, 3])
def test_a_rollback_is_not_rolled_back(hub, device, restarts):
    """greengrass-nucleus#1635: rollback of the rollback."""
    hub.publish(2, offset=900.0)
    bad = hub.offer(2)
    device.commit(bad)
    for _ in range(restarts):
        device.boot()
    device.offer(bad)
    device.predict(20, (float("nan"), 2.0))  # the old model may answer what it likes: nothing is on probation
    assert device.settle() == "rolled-back"
    assert device.release == "motor-health/1"


def test_an_undo_to_a_release_that_was_left_behind_works_under_a_newer_directive(hub, device):
    hub.publish(2)
    device.commit(hub.offer(2))
    hub.publish(3, offset=900.0)
    device.commit(hub.offer(3))
    assert (device.state, device.release) == ("rolled-back", "motor-health/2")
    assert device.offer(hub.offer(1, mode="undo")) == "committed"
    assert device.release == "motor-health/1"


def test_an_undo_to_what_never_ran_here_has_to_prove_itself(hub, device):
    hub.publish(2, offset=900.0)
    assert device.offer(hub.offer(2, mode="undo")) == "probation"
    assert device.prove() == "rolled-back"


def test_a_report_tells_what_runs_and_what_ran_before(hub, device):
    hub.publish(2)
    device.commit(hub.offer(2))
    told = {
        report.state: (report.evidence["before"], report.evidence["running"]) for report in device.reports
    }
    assert told["downloading"] == ("motor-health/1", "motor-health/1")
    assert told["probation"] == told["committed"] == ("motor-health/1", "motor-health/2")


def test_a_model_that_makes_the_agent_grow_is_rolled_back(hub, device):
    taken = [100 << 20]
    device.memory = lambda: taken[0]
    device.boot()
    hub.publish(2)
    device.offer(hub.offer(2))
    device.predict(2)
    taken[0] += 257 << 20
    assert device.settle() == "rolled-back"
    assert "grow by at most 256 MB of memory, got 257 MB" in device.last.reason
    unhealthy = next(report for report in device.reports if report.event == "unhealthy")
    assert unhealthy.evidence["memory_mb"] == 257.0


class BusyDisk(HastyDisk):
    """While a download is written, time passes and the pipeline goes on."""

    meanwhile = staticmethod(lambda: None)

    def extend(self, path, content):
        super().extend(path, content)
        if path.name == "download.part":
            self.meanwhile()


def test_a_bad_model_does_not_stay_for_as_long_as_another_one_downloads(hub, device):
    disk = BusyDisk()
    device.boot(disk)
    hub.publish(2, offset=900.0)
    device.offer(hub.offer(2))

    def pipeline_goes_on():
        if device.state == "probation":
            device.predict(8)
            time.sleep(PROBATION_POLL_S)

    disk.meanwhile = pipeline_goes_on
    device.updates.offer("pump-wear", hub.offer(7, **large_bundle(hub)))
    for _ in range(12):
        device.updates.turn()
    told = [(report.use_case, report.state) for report in device.reports]
    assert told.index((USE_CASE, "rolled-back")) < told.index(("pump-wear", "verifying"))
    assert told[-1] == ("pump-wear", "probation")


def test_an_orderly_stop_is_noted_although_another_download_hangs(hub, device):
    """A shift-end stop must not fail a canary, whatever else is under way."""
    disk, hangs, goes_on = BusyDisk(), threading.Event(), threading.Event()
    device.boot(disk)
    hub.publish(2)
    device.offer(hub.offer(2))
    disk.meanwhile = lambda: (hangs.set(), goes_on.wait(20))
    device.updates.start()
    device.updates.offer("pump-wear", hub.offer(7, **large_bundle(hub)))
    assert hangs.wait(20)
    device.updates.stop()
    record = Journalled.read(journal_file(device.state_dir)).records[USE_CASE]
    assert (record.state, record.parting) == ("probation", "orderly")
    goes_on.set()
    next(thread for thread in threading.enumerate() if thread.name == "updates").join(20)


def large_bundle(hub):
    """Of several chunks, and what a directive says of it."""
    network = np.array([1, 0, 0, 0, 100, 0.5], dtype="<f4").tobytes()
    inputs = np.random.default_rng(1).random((40_000, 2)).astype(np.float32)
    made = Bundle(
        manifest=hub.manifest(7, use_case="pump-wear", release="pump-wear/7"),
        onnx=network,
        golden_inputs=inputs,
        golden_outputs=Linear(network).run(inputs),
    )
    path = hub.state_dir / "large.zip"
    write_bundle(path, made)
    published = hub.repository.publish_bundle(path, "bundles/pump-wear/7.zip")
    assert path.stat().st_size > 4 * CHUNK
    return {
        "use_case": "pump-wear", "release": "pump-wear/7", "sequence": 1,
        "bundle_path": published.target_path, "bundle_sha256": published.sha256,
    }  # fmt: skip
