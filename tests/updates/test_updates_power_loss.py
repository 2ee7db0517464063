"""Power fails at every single touch of the disk: a good model comes up, and the update still ends right.

A whole life of an update is recorded once; then its record is replayed to every point in
it, and the power fails there in four ways: everything written so far is there; the write
at hand is torn in two; everything that was not synced is gone, names as well as contents; or any
part of it is there and any other is not. What the disk may hold then is what the device boots from.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from power_parts import WAYS, Platter, RecordingDisk
from update_parts import USE_CASE, HastyDisk

from edge_agent.updates.journal import Journal
from edge_agent.updates.slots import Slots
from edge_agent.updates.states import FINAL
from wire.batch import ReportEvent

RELEASES = ("motor-health/1", "motor-health/2")
CARD = "<p>" + "what it is for and how it was made " * 1500  # makes a bundle of several pieces


@dataclass
class Life:
    """What is asked of a device that runs release 1, and how it has to end."""

    offered: bytes
    may_run: tuple  # at any instant
    state: str
    release: str | None

    def go_on(self, device, sequence):
        """Take the offer or what is left of it, prove or fail, commit or go back."""
        told = {state.use_case: state.accepted_sequence for state in device.updates.use_case_states()}
        if told.get(USE_CASE, 0) < sequence:
            device.offer(self.offered)  # the hub sends it whenever a birth shows that it was not accepted
        else:
            device.settle()
        if device.state == "probation":
            device.prove()


def good(hub, device):
    """Its download began before, and is gone on with."""
    hub.publish(2, card=CARD)
    whole = hub.target_file(2).read_bytes()
    (device.state_dir / "updates" / "slots" / USE_CASE / "download.part").write_bytes(whole[:20_000])
    return Life(hub.offer(2), RELEASES, "committed", "motor-health/2")


def bad(hub, device):
    hub.publish(2, offset=900.0, card=CARD)
    return Life(hub.offer(2), RELEASES, "rolled-back", "motor-health/1")


def undo(hub, device):
    hub.publish(2)
    device.commit(hub.offer(2))
    device.reports.clear()
    return Life(hub.offer(1, mode="undo"), RELEASES, "committed", "motor-health/1")


def first(hub, device):
    """The first release of a device that ran nothing."""
    device.updates.stop()
    shutil.rmtree(device.state_dir / "updates")
    return Life(hub.offer(1), (None, "motor-health/1"), "committed", "motor-health/1")


def booted(device, folder, disk=None):
    """The same device with ``folder`` as its disk."""
    other = replace(device, state_dir=folder, reports=[])
    other.boot(disk or HastyDisk())
    return other


@pytest.mark.parametrize("begin", [good, bad, undo, first], ids=lambda begin: begin.__name__)
def test_power_loss_at_every_touch_of_the_disk(hub, device, tmp_path, begin, record_property):
    life = begin(hub, device)
    sequence, platter = hub.sequence, Platter(device.state_dir)
    reports = []
    disk = RecordingDisk(device.state_dir, reports)
    recorded = replace(device, reports=reports)
    recorded.boot(disk)
    life.go_on(recorded, sequence)
    assert (recorded.state, recorded.release) == (life.state, life.release)

    met, tried = set(), {}
    for number, touch in enumerate([*disk.touches, None]):
        told = reports[: touch.reported] if touch else reports
        for way, images in platter.images(touch, number).items():
            for image in images:
                known = (image, frozenset(_ends(told, sequence)))
                if known not in tried:
                    tried[known] = f"{way} before {number}, {touch}"
                    folder = tmp_path / f"image-{len(tried)}"
                    image.write(folder)
                    comes_up(booted(device, folder), life, sequence, told, tried[known])
                    shutil.rmtree(folder)
            met.add((number, way))
        if touch:
            platter.do(touch)

    points = [f"{number} {touch}" for number, touch in enumerate(disk.touches)]
    record_property("points", points)
    print(f"{begin.__name__}: {len(points)} points, 4 ways, {len(tried)} different disks", *points, sep="\n")
    assert met == {(number, way) for number in range(len(points) + 1) for way in WAYS}
    assert len(points) > 30, "the update touched the disk less often than it must"


def comes_up(device, life, sequence, told, where):
    """A good model runs at once; the update ends as it must, is told, and journal and slots agree."""
    assert device.release in life.may_run, where
    life.go_on(device, sequence)
    assert (device.state, device.release) == (life.state, life.release), where
    assert _ends(told + device.reports, sequence) == {life.state}, where
    updates = device.state_dir / "updates"
    record = Journal(updates / "journal", HastyDisk()).record(USE_CASE)
    slots = Slots(updates / "slots" / USE_CASE, HastyDisk())
    assert (record.state, record.sequence) == (life.state, sequence), where
    assert slots.current == record.running.slot, where
    assert slots.check(record.running), where


def _ends(reports, sequence):
    """How the directive has ended, as far as it was told."""
    return {report.state for report in reports if report.directive_sequence == sequence} & FINAL


GOOD_STATES = ("accepted", "downloading", "verifying", "installing", "probation", "committed")
BAD_STATES = ("rolling-back", "rolled-back")


def test_a_process_killed_at_every_transition_comes_up_and_ends_right(hub, device, tmp_path):
    """Sixteen real processes, each ended by SIGKILL just before or just after it journals a state."""
    hub.publish(2)
    keeps = Life(hub.offer(2), RELEASES, "committed", "motor-health/2"), hub.sequence
    hub.publish(3, offset=900.0)
    goes_back = Life(hub.offer(3), ("motor-health/1", "motor-health/3"), "rolled-back", "motor-health/1")
    lives = dict.fromkeys(GOOD_STATES, keeps) | dict.fromkeys(BAD_STATES, (goes_back, hub.sequence))
    deaths = [
        (tmp_path / f"{state}-{moment}", state, moment) for state in lives for moment in ("before", "after")
    ]
    for folder, *_ in deaths:
        shutil.copytree(device.state_dir, folder)
    assert killed([(folder, lives[state][0].offered, state, moment) for folder, state, moment in deaths])

    for folder, state, moment in deaths:
        life, sequence = lives[state]
        reports = (folder / "reports").read_text() if (folder / "reports").exists() else ""
        told = [ReportEvent(**json.loads(line)) for line in reports.splitlines()]
        comes_up(booted(device, folder), life, sequence, told, f"killed {moment} {state}")


def killed(deaths):
    """Whether each of the processes was ended by SIGKILL where it was to be."""
    rows = [
        {
            "folder": str(folder),
            "offered": base64.b64encode(offered).decode(),
            "state": state,
            "moment": moment,
        }
        for folder, offered, state, moment in deaths
    ]
    here = Path(__file__)
    run = subprocess.run(
        [sys.executable, here.with_name("killed_device.py")],
        input=json.dumps(rows), text=True, stdout=subprocess.PIPE, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(here.parents[2]), str(here.parent)])},
    )  # fmt: skip
    return run.stdout.split() == [str(-signal.SIGKILL)] * len(rows)
