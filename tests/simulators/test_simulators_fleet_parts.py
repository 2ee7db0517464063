"""What a light device is made of, each part by itself; and what a fleet is refused for."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from simulators.errors import SettingError, SimulatorError
from simulators.fleet import Request, split
from simulators.fleet_faults import Fault, Faults, share
from simulators.fleet_identity import Identity, Memory, Remembered, StateFolder, choose, read_tokens
from simulators.fleet_outbox import FIRST_RESEND_S, WINDOW, Outbox
from simulators.fleet_updates import AwayError, Pace, RefusalError, life, superseded
from wire.batch import ReportEvent
from wire.codec import decode
from wire.directive import Accepted
from wire.messages import EpochFloor, Marks

NAMES = [f"sim-{number:04}" for number in range(2000)]


def report(number: int) -> ReportEvent:
    return ReportEvent(time_us=number, use_case="u", directive_sequence=1, state="accepted", event="offered")


def outbox(**more) -> Outbox:
    return Outbox(7, bytes(32), **more)


def test_a_device_is_drawn_by_seed_and_name_alone() -> None:
    faults = Faults(fail=0.1, refuse=0.1, silent=0.1)
    drawn = {name: faults.of(name, "u/1") for name in NAMES}
    assert drawn == {name: faults.of(name, "u/1") for name in reversed(NAMES)}
    for fault in (Fault.FAIL, Fault.REFUSE, Fault.SILENT):
        assert 140 <= sum(found is fault for found in drawn.values()) <= 260
    assert drawn != {name: Faults(seed=2, fail=0.1).of(name, "u/1") for name in NAMES}


def test_a_bad_release_fails_on_every_device_and_no_other_release_does() -> None:
    faults = Faults(fail_releases=("u/2",))
    assert {faults.of(name, "u/2") for name in NAMES} == {Fault.FAIL}
    assert {faults.of(name, "u/1") for name in NAMES} == {Fault.NONE}


@pytest.mark.parametrize(("text", "value"), [("1%", 0.01), ("0.25", 0.25), ("100%", 1.0)])
def test_a_share_is_read_as_it_is_written(text: str, value: float) -> None:
    assert share(text) == value


@pytest.mark.parametrize("text", ["101%", "-1%", "many", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="expected a share"):
        share(text)


def steps(fault: Fault = Fault.NONE, *, present: bool = False, fetch=lambda: None) -> list[str]:
    lived = life(present=present, fault=fault, pace=Pace(), slow_s=0, fetch=fetch, chance=Random(1))
    return [step.state for step in lived]


def test_a_life_has_the_states_of_a_real_device() -> None:
    until = ["accepted", "downloading", "verifying", "installing", "probation"]
    assert steps() == [*until, "committed"]
    assert steps(Fault.FAIL) == [*until, "rolling-back", "rolled-back"]
    assert steps(Fault.REFUSE) == [*until[:3], "refused"]
    assert steps(Fault.SILENT) == ["accepted"]
    assert steps(present=True) == ["accepted", "committed"]


def test_a_hub_that_is_away_is_asked_again_and_a_bad_bundle_is_refused() -> None:
    answers = [AwayError("away"), AwayError("away"), RefusalError("not signed")]

    def fetch() -> None:
        raise answers.pop(0)

    assert steps(fetch=fetch) == ["accepted", "downloading", "", "", "refused"]


def test_a_newer_directive_ends_a_probation_by_going_back() -> None:
    assert [step.state for step in superseded("probation", 9)] == ["rolling-back", "rolled-back"]
    assert [step.state for step in superseded("downloading", 9)] == ["failed"]


def test_a_batch_keeps_its_bytes_until_its_mark_comes() -> None:
    box = outbox()
    for number in range(3):
        box.add(report(number))
    first = box.unsent()
    assert [decode(item.payload).sequence for item in first] == [1, 2, 3]
    assert box.unsent() == []
    assert box.oldest_out() == first[0]
    assert box.settle(Marks(epoch=7, mark=1, beyond=((3, 3),)))
    assert box.held == [first[1]]
    assert not box.settle(Marks(epoch=8, mark=9)), "another epoch's mark settles nothing here"
    box.restart()
    assert box.unsent() == [first[1]]
    assert box.floors() == (EpochFloor(epoch=7, floor=2, next=4),)


def test_at_most_a_window_is_out_and_the_oldest_waits_longer_each_time() -> None:
    box = outbox()
    for number in range(WINDOW + 5):
        box.add(report(number))
    assert len(box.unsent()) == WINDOW
    assert box.patience_s == FIRST_RESEND_S
    box.note_resent()
    assert box.patience_s == 2 * FIRST_RESEND_S
    box.settle(Marks(epoch=7, mark=1))
    assert (len(box.unsent()), box.patience_s) == (1, 0.0), "what was out beside it was lost with it"
    box.settle(Marks(epoch=7, mark=2))
    assert (len(box.unsent()), box.patience_s) == (1, FIRST_RESEND_S)


def test_an_epoch_is_named_until_the_hub_has_spoken_of_a_later_one() -> None:
    first = outbox()
    first.add(report(1))
    unheard = Outbox(8, bytes(32), before=first.remembered(), held=first.held)
    assert [item.epoch for item in unheard.remembered()] == [7, 8]
    unheard.settle(Marks(epoch=7, mark=1))
    assert [item.epoch for item in unheard.remembered()] == [7, 8], "the hub may not know of 8"
    unheard.settle(Marks(epoch=8, mark=0))
    assert [item.epoch for item in unheard.remembered()] == [8]


def test_an_identity_and_its_memory_come_back_as_they_were_kept(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "fleet")
    state.prepare()
    identity = Identity(device="sim-1", site="plant", key_fingerprint="ab")
    state.keep(identity, b"key and certificate")
    box = outbox()
    box.add(report(1))
    known = Remembered(
        accepted=Accepted(sequence=3, sha256="cd"), release="u/1", sha256="ef", state="committed"
    )
    memory = Memory(use_cases={"u": known}, epochs=box.floors(), held=tuple(box.held))
    state.remember(identity, memory)
    assert state.load("sim-1") == (identity, memory)
    state.forget("sim-1")
    assert state.load("sim-1") == (identity, Memory())
    assert state.known() == {"sim-1"}
    assert {file.stat().st_mode & 0o77 for file in (tmp_path / "fleet" / "devices").iterdir()} == {0}


def test_tokens_are_read_by_device_and_never_repeated_in_an_error(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text('{"device": "a", "token": "a.secret.ff"}\n')
    assert read_tokens(file) == {"a": "a.secret.ff"}
    file.write_text('{"device": "a", "token": "a.secret.ff"}\n"b.secret.ff"\n')
    with pytest.raises(SettingError, match=r"tokens:2: expected") as caught:
        read_tokens(file)
    assert "secret" not in str(caught.value)


def test_the_first_devices_by_name_are_chosen_and_no_more_than_there_are() -> None:
    assert choose(2, tokens=["c", "a"], known=["b"]) == ("a", "b")
    with pytest.raises(
        SettingError, match="expected --devices from 1 to 2, got 3: 1 have an identity, 1 others"
    ):
        choose(3, tokens=["a"], known=["b"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"devices": 0}, "--devices from 1"),
        ({"processes": 0}, "--processes from 1"),
        ({}, "say with which hub by --hub URL"),
        ({"url": "https://127.0.0.1:1"}, "the hub cannot be reached"),
        ({"tokens": Path("nowhere")}, "cannot read tokens"),
    ],
)
def test_a_fleet_that_cannot_be_is_refused_in_words(tmp_path: Path, changes: dict, sentence: str) -> None:
    file = tmp_path / "tokens"
    file.write_text('{"device": "sim-1", "token": "sim-1.secret.ff"}\n')
    settings = {"devices": 1, "state": tmp_path / "fleet", "tokens": file} | changes
    with pytest.raises(SimulatorError, match=sentence):
        split(Request(**settings))


def test_faults_and_paces_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(SettingError, match="100% at most, got 120%"):
        Faults(fail=0.6, silent=0.6)
    with pytest.raises(SettingError, match="from 0 s, got -1"):
        Pace(state_s=-1)


def test_a_mistake_on_the_command_line_is_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "andon", "sim", "fleet", "--devices", "3", "--state", str(tmp_path)]
    done = subprocess.run([*command, "--fail", "most"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: expected a share such as 0.01 or 1%, got 'most'\n"
