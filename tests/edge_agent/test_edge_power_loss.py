"""Power that fails at any instant: what was committed is there, whole, with the bytes it had.

SIGKILL proves nothing of this: a killed process leaves its writes to the system. Here the
writes and syncs of a real outbox are recorded, and the disk is rebuilt as it may be found after
any of them.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from edge_power import Call, Disk, missing, record, scratch
from edge_world import REPOSITORY

from edge_agent.draft import Draft
from edge_agent.outbox import Key, Outbox
from wire.batch import BatchClass, GapEvent, ReportEvent
from wire.codec import decode
from wire.messages import EpochFloor

INSTANTS = 90
HOWS = ("synced", "torn", "some")
REPORT = ReportEvent(time_us=0, use_case="u", directive_sequence=1, state="idle", event="accepted")


@dataclass
class Said:
    """What the process had said when the power failed."""

    started: int = 0
    returned: int = 0
    commits: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # epoch, first and last sequence
    marks: dict[int, int] = field(default_factory=dict)  # by epoch, as far as forgetting had begun
    opened: list[int] = field(default_factory=list)

    def hear(self, words: dict) -> None:
        self.started = words.get("committing", self.started)
        if "committed" in words:
            self.returned = words["committed"]
            self.commits[self.returned] = words["epoch"], words["first"], words["last"]
        if "forgetting" in words:
            epoch = words["forgetting"]
            self.marks[epoch] = max(self.marks.get(epoch, 0), words["mark"])
        if "opened" in words:
            self.opened.append(words["opened"])


@dataclass
class Recording:
    folder: str
    calls: list[Call]
    words: list[dict]
    hashes: dict[tuple[int, int], str]

    def commit(self, count: int) -> dict:
        """What was said of a commit when it had returned, in the end."""
        return next(words for words in self.words if words.get("committed") == count)

    def of(self, count: int) -> tuple[int, int, int]:
        """Epoch, first and last sequence of a commit."""
        words = self.commit(count)
        return words["epoch"], words["first"], words["last"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("power").resolve()
    (folder / "state").mkdir()
    script = REPOSITORY / "tests" / "edge_agent" / "edge_power_script.py"
    command = [sys.executable, str(script), str(folder / "state" / "outbox.db"), "5"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    calls = [
        call
        for call in record(command, folder / "log", env=environment, cwd=folder, timeout=120)
        if call.path.startswith(str(folder / "state")) or (call.name == "write" and not call.path)
    ]
    words = [json.loads(call.data) for call in calls if call.name == "write" and not call.path]
    hashes = {
        (said["epoch"], int(sequence)): digest
        for said in words
        if "committed" in said
        for sequence, digest in said["held"].items()
    }
    return Recording(folder=str(folder / "state"), calls=calls, words=words, hashes=hashes)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=scratch(tmp_path), prefix="andon-power-") as folder:
        yield Path(folder)


def instants(recording: Recording, target: Path, *, liar: str = "\0") -> Iterator[tuple[Said, str]]:
    """The disk at ``target`` after power failed at instants all over the recording, in every manner."""
    chance = Random(7)
    disk, said = Disk(recording.folder, liar), Said()
    after = set(chance.sample(range(len(recording.calls)), INSTANTS))
    for place, call in enumerate(recording.calls):
        if call.name == "write" and not call.path:
            said.hear(json.loads(call.data))
        else:
            disk.apply(call)
        for how in HOWS if place in after else ():
            for old in target.iterdir():
                old.unlink()
            disk.rebuild(target, chance, how)
            yield said, f"{how} after call {place} of {len(recording.calls)}"


def findings(outbox: Outbox) -> tuple[dict[tuple[int, int], bytes], set[tuple[int, int]]]:
    """Payloads by epoch and sequence, and what gaps tell of."""
    while outbox.has_losses:
        draft = Draft(batch_class=BatchClass.ALARM, table_hash=b"t" * 32, events=(REPORT,))
        outbox.commit([draft], now_us=0, tell_losses=True)
    held: dict[tuple[int, int], bytes] = {}
    for alarms in (True, False):
        for queued in outbox.after(Key(0, 0), limit=10_000, alarms=alarms):
            batch = decode(queued.payload)
            assert outbox.number_of(batch.epoch) == queued.key.number
            assert batch.sequence == queued.key.sequence
            held[batch.epoch, batch.sequence] = queued.payload
    events = [event for payload in held.values() for event in decode(payload).events]
    told = {
        (event.epoch, sequence)
        for event in events
        if isinstance(event, GapEvent)
        for sequence in range(event.first_sequence, event.last_sequence + 1)
    }
    return held, told


@dataclass
class Found:
    """The outbox as it is after the power came back."""

    damage: str
    own: int  # the epoch drawn since
    position: int
    state: int
    floors: tuple[EpochFloor, ...]
    held: dict[tuple[int, int], bytes]
    told: set[tuple[int, int]]


def open_again(path: Path) -> Found:
    outbox = Outbox.open(path, max_bytes=1 << 30)
    position, state = outbox.positions().get("a", 0), int(outbox.states().get("s", b"0"))
    floors = outbox.floors()
    held, told = findings(outbox)
    outbox.close()
    damage = outbox.damage.reason if outbox.damage else ""
    return Found(damage, outbox.epoch, position, state, floors, held, told)


def faults(recording: Recording, said: Said, path: Path) -> list[str]:
    """What the outbox at ``path`` has lost, changed or mixed up."""
    found = open_again(path)
    wrong = [f"set aside: {found.damage}"] if found.damage else []
    if not said.returned <= found.position <= said.started:
        wrong.append(f"expected position {said.returned} to {said.started}, got {found.position}")
    if found.state != found.position:
        wrong.append(f"position {found.position} and state {found.state} differ")
    return [*wrong, *_missing(recording, said, found), *_changed(recording, said, found), *_floors(found)]


def _missing(recording: Recording, said: Said, found: Found) -> Iterator[str]:
    """A gap that was told, and settled with its batch since, has been told."""
    earlier = {
        (epoch, sequence)
        for count in range(1, found.position + 1)
        for epoch, first, last in recording.commit(count)["told"]
        for sequence in range(first, last + 1)
    }
    for count in range(1, found.position + 1):
        epoch, first, last = recording.of(count)
        for sequence in range(first, last + 1):
            key = epoch, sequence
            settled = sequence <= said.marks.get(epoch, 0)
            if not (settled or key in found.held or key in found.told | earlier):
                yield f"batch {sequence} of commit {count} is missing"


def _changed(recording: Recording, said: Said, found: Found) -> Iterator[str]:
    ahead = {recording.of(count)[:2] for count in range(found.position + 1, said.started + 1)}
    for (epoch, sequence), payload in found.held.items():
        digest = recording.hashes.get((epoch, sequence))
        if digest is not None and hashlib.sha256(payload).hexdigest() != digest:
            yield f"batch {sequence} has other bytes than it had"
        if any(epoch == each and sequence >= first for each, first in ahead):
            yield f"batch {sequence} is of a commit that did not happen"


def _floors(found: Found) -> Iterator[str]:
    for item in found.floors:
        sequences = [sequence for epoch, sequence in found.held if epoch == item.epoch != found.own]
        if sequences and (item.floor != min(sequences) or item.next <= max(sequences)):
            yield f"floor {item.floor} and next {item.next} while {min(sequences)} to {max(sequences)} are held"


def test_whatever_instant_the_power_fails_what_was_committed_is_there(
    recording: Recording, target: Path
) -> None:
    seen = 0
    for said, when in instants(recording, target):
        assert faults(recording, said, target / "outbox.db") == [], when
        seen += 1
    assert seen == INSTANTS * len(HOWS)


def test_a_disk_that_acknowledges_syncs_and_does_none_is_found_out(
    recording: Recording, target: Path
) -> None:
    """The proof of the proof: without syncs of the log the same search finds losses."""
    every = instants(recording, target, liar="-wal")
    assert any(faults(recording, said, target / "outbox.db") for said, _ in every)


def test_each_commit_syncs_the_log_after_its_last_write(recording: Recording) -> None:
    unsynced = False
    commits = 0
    for call in recording.calls:
        if call.path.endswith("-wal"):
            unsynced = call.name == "pwrite64" or (unsynced and call.name not in ("fsync", "fdatasync"))
        elif call.name == "write" and not call.path and "committed" in json.loads(call.data):
            assert not unsynced
            commits += 1
    assert commits > 40


def test_the_recording_has_drops_marks_and_log_moves_in_it(recording: Recording) -> None:
    """Else the search above would prove less than it says."""
    moves = [call for call in recording.calls if call.path.endswith("outbox.db") and call.name == "pwrite64"]
    assert len(moves) > 50
    assert sum("forgetting" in words for words in recording.words) > 10
    assert max(words.get("dropped", 0) for words in recording.words) > 5
