"""A release that is ready waits for its moment, and ends with a reason where that does not come."""

import time
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import test_updates_power_loss as power
from update_parts import HOUR_US, USE_CASE

from edge_agent.phases import CriticalPhase
from edge_agent.updates import Deferrals, first_known
from edge_agent.updates.deferral import PHASE, WINDOW
from edge_agent.updates.installer import DEFERRAL_POLL_S
from firmware_configs.windows import DAYS
from wire.clock import readable, to_datetime, to_us

UTC = ZoneInfo("UTC")
SPEEDING = CriticalPhase(reason="speed of press-04-pump-1 is above 100", evidence={"speed": 132.0})
UNKNOWABLE = CriticalPhase(reason="no speed of a machine of this device", unknowable=True)


class Shift:
    """A device's day: windows that the test writes, a phase that it sets."""

    def __init__(self, clock):
        self.clock = clock
        self.phase = None
        self.deferrals = None
        self.opens_us = 0
        self.always_open()

    def always_open(self):
        self.deferrals = Deferrals(windows=(), zone=UTC, clock=self.clock, phase=lambda: self.phase)

    def window_in(self, hours):
        """One hour a week, which begins in so many hours."""
        begins = (to_datetime(self.clock.now_us()) + timedelta(hours=hours)).replace(second=0, microsecond=0)
        ends = begins + timedelta(hours=1)
        text = f"{DAYS[begins.weekday()]} {begins:%H:%M}-{ends:%H:%M}"
        self.opens_us = to_us(begins)
        self.deferrals = Deferrals(windows=(text,), zone=UTC, clock=self.clock, phase=lambda: self.phase)

    def judge(self, directive):
        return self.deferrals.judge(directive)


@pytest.fixture
def shift(device):
    shift = Shift(device.clock)
    device.deferral = shift.judge
    device.boot()
    return shift


def later(device, hours=0.0):
    device.clock.ahead_us += round(hours * HOUR_US)
    time.sleep(DEFERRAL_POLL_S)
    return device.settle()


def deferred(device):
    return [report for report in device.reports if report.event == "deferred"]


def test_outside_its_window_a_verified_update_waits_and_says_until_when(hub, device, shift):
    shift.window_in(3)
    hub.publish(2)
    assert device.offer(hub.offer(2)) == "deferred"
    assert device.release == "motor-health/1"
    (said,) = deferred(device)
    assert said.state == "deferred"
    assert said.evidence == {
        "waits_for": WINDOW, "until": readable(shift.opens_us), "running": "motor-health/1", "before": "motor-health/1",
    }  # fmt: skip
    assert f"opens at {readable(shift.opens_us)}" in said.reason
    assert later(device, 2.5) == "deferred"
    assert len(deferred(device)) == 1, "it is told once"
    assert later(device, 0.6) == "probation"
    assert device.prove() == "committed"
    assert device.release == "motor-health/2"
    assert device.told == [
        "accepted", "downloading", "verifying", "installing", "deferred", "probation", "committed",
    ]  # fmt: skip


def test_in_a_critical_phase_it_waits_for_the_end_of_it(hub, device, shift):
    shift.phase = SPEEDING
    hub.publish(2)
    assert device.offer(hub.offer(2)) == "deferred"
    (said,) = deferred(device)
    assert (said.reason, said.evidence["speed"], said.evidence["until"]) == (SPEEDING.reason, 132.0, "")
    assert later(device) == "deferred"
    shift.phase = None
    assert later(device) == "probation"


def test_a_window_that_opens_in_a_critical_phase_is_told_as_another_wait(hub, device, shift):
    shift.window_in(3)
    shift.phase = SPEEDING
    hub.publish(2)
    device.offer(hub.offer(2))
    assert later(device, 3.1) == "deferred"
    assert [report.evidence["waits_for"] for report in deferred(device)] == [WINDOW, PHASE]


def test_a_directive_that_expires_while_it_waits_is_refused_for_what_it_waited_for(hub, device, shift):
    shift.window_in(48)
    hub.publish(2)
    assert device.offer(hub.offer(2)) == "deferred"
    assert "the directive expires before" in deferred(device)[0].reason
    assert later(device, 25) == "refused"
    assert "expired at" in device.last.reason
    assert "while it waited: outside of" in device.last.reason
    assert device.release == device.last.evidence["running"] == "motor-health/1"
    assert device.boot().running()[USE_CASE].release == "motor-health/1"
    assert later(device, 24) == "refused", "nothing is left that could switch when the window opens"


def test_an_undo_waits_for_no_window(hub, device, shift):
    hub.publish(2)
    device.commit(hub.offer(2))
    shift.window_in(3)
    assert device.offer(hub.offer(1, mode="undo")) == "committed"
    assert device.release == "motor-health/1"


def test_an_undo_waits_for_the_end_of_a_critical_phase(hub, device, shift):
    hub.publish(2)
    device.commit(hub.offer(2))
    shift.phase = SPEEDING
    assert device.offer(hub.offer(1, mode="undo")) == "deferred"
    assert device.release == "motor-health/2"
    shift.phase = None
    assert later(device) == "committed"
    assert device.release == "motor-health/1"


def test_what_cannot_be_judged_holds_an_installation_back_and_an_undo_not(hub, device, shift):
    hub.publish(2)
    hub.publish(3)
    device.commit(hub.offer(2))
    shift.phase = UNKNOWABLE
    assert device.offer(hub.offer(3)) == "deferred"
    assert device.last.reason == UNKNOWABLE.reason
    assert device.offer(hub.offer(1, mode="undo")) in ("probation", "committed")
    assert device.settle() == "committed"
    assert device.release == "motor-health/1"


def test_a_model_that_must_go_goes_whatever_the_hour(hub, device, shift):
    hub.publish(2, offset=900.0)
    device.offer(hub.offer(2))
    shift.window_in(3)
    shift.phase = SPEEDING
    assert device.prove() == "rolled-back"
    assert device.release == "motor-health/1"


def test_a_restart_every_night_costs_no_second_download(hub, device, shift):
    shift.window_in(3)
    hub.publish(2)
    device.offer(hub.offer(2))
    hub.server.shutdown()
    hub.server.server_close()
    for _ in range(3):
        device.boot()
        assert device.settle() == "deferred"
    assert device.release == "motor-health/1"
    assert later(device, 3.1) == "probation"
    assert len(deferred(device)) == 1


def test_a_newer_directive_takes_the_place_of_a_deferred_one(hub, device, shift):
    shift.window_in(3)
    hub.publish(2)
    hub.publish(3)
    device.offer(hub.offer(2))
    assert device.offer(hub.offer(3)) == "deferred"
    ended = next(report for report in device.reports if report.event == "superseded")
    assert (ended.directive_sequence, ended.state) == (2, "failed")
    assert later(device, 3.1) == "probation"
    assert device.release == "motor-health/3"


def test_a_spare_slot_that_is_damaged_while_it_waits_fails_without_a_switch(hub, device, shift):
    shift.phase = SPEEDING
    hub.publish(2)
    device.offer(hub.offer(2))
    damage(device, "b")
    shift.phase = None
    assert later(device) == "failed"
    assert "slot b of motor-health: expected SHA-256" in device.last.reason
    assert device.release == "motor-health/1"


def test_a_device_whose_running_slot_is_damaged_waits_no_longer(hub, device, shift):
    shift.window_in(3)
    hub.publish(2)
    device.offer(hub.offer(2))
    damage(device, "a")
    device.boot()
    assert device.settle() == "probation"
    assert device.release == "motor-health/2"
    assert "slot a no longer holds motor-health/1" in [report.reason for report in device.reports]


def damage(device, slot):
    (file,) = (device.state_dir / "updates" / "slots" / USE_CASE / slot).glob("*.zip")
    file.write_bytes(file.read_bytes()[:-1] + b"!")


def test_one_use_case_waits_while_another_is_on_probation(hub, device, shift):
    hub.publish(2)
    assert device.offer(hub.offer(2)) == "probation"
    shift.window_in(3)
    other = hub.bundle(7, use_case="pump-wear", release="pump-wear/7")
    published = hub.repository.publish_bundle(other, "bundles/pump-wear/7.zip")
    device.updates.offer("pump-wear", hub.offer(
        7, use_case="pump-wear", release="pump-wear/7", sequence=1,
        bundle_path=published.target_path, bundle_sha256=published.sha256,
    ))  # fmt: skip
    for _ in range(6):
        device.updates.turn()
    states = {each.use_case: each.state for each in device.updates.use_case_states()}
    assert states == {USE_CASE: "probation", "pump-wear": "deferred"}
    assert device.prove() == "committed"
    assert {each.use_case: each.state for each in device.updates.use_case_states()}["pump-wear"] == "deferred"
    later(device, 3.1)
    assert {each.use_case: each.state for each in device.updates.use_case_states()}[
        "pump-wear"
    ] == "probation"
    assert device.release == "motor-health/2"


def test_windows_are_of_the_first_zone_that_this_device_knows():
    assert str(first_known("", "Europe/Paris")) == "Europe/Paris"
    assert str(first_known("Mars/Base", "../etc", "Asia/Tokyo")) == "Asia/Tokyo"
    assert str(first_known("", "")) == "UTC"


def test_people_are_told_when_the_device_may_be_changed(device, shift):
    shift.window_in(3)
    shift.phase = SPEEDING
    told = shift.deferrals.status()
    assert (told["zone"], told["opens"]) == ("UTC", readable(shift.opens_us))
    assert told["critical"] == SPEEDING.reason
    device.clock.ahead_us += round(3.1 * HOUR_US)
    assert shift.deferrals.status()["opens"] == ""


@dataclass
class Waiting(power.Life):
    """The moment comes when the update has waited for it."""

    shift: Shift

    def go_on(self, device, sequence):
        self.shift.phase = SPEEDING
        super().go_on(device, sequence)
        self.shift.phase = None
        super().go_on(device, sequence)


@pytest.fixture
def impatient(monkeypatch):
    """Asks again at once whether the moment has come."""
    monkeypatch.setattr("edge_agent.updates.installer.DEFERRAL_POLL_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_power_loss_at_every_touch_of_the_disk_while_an_update_waits(
    hub, device, shift, tmp_path, record_property
):
    def deferred(hub, _device):
        hub.publish(2)
        return Waiting(hub.offer(2), power.RELEASES, "committed", "motor-health/2", shift)

    power.test_power_loss_at_every_touch_of_the_disk(hub, device, tmp_path, deferred, record_property)
