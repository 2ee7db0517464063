"""The journal remembers what was synced, whatever was written after it."""

from dataclasses import replace

import pytest

from edge_agent.updates.deferral import WINDOW, Deferral
from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import JournalError
from edge_agent.updates.journal import ENTRIES_KEPT, Journal
from edge_agent.updates.journalled import STEPS_KEPT, Journalled
from edge_agent.updates.record import FAILURES_KEPT, Failure, Held, Record
from edge_agent.updates.states import State
from wire.batch import ReportEvent
from wire.directive import Accepted, Directive

DIRECTIVE = Directive(
    device="d", key_fingerprint="f", use_case="u", release="u/1", bundle_path="bundles/u/1.zip",
    bundle_sha256="0" * 64, sequence=7, issued_us=1, expires_us=2, rollout="r",
)  # fmt: skip
RECORD = Record(
    use_case="u",
    state=State.PROBATION,
    directive=DIRECTIVE,
    accepted=Accepted(sequence=7, sha256="ab"),
    good=Held(slot="a", release="u/0", sha256="cd"),
    trial=Held(slot="b", release="u/1", sha256="ef"),
    deferral=Deferral(waits_for=WINDOW, reason="outside", until_us=9, evidence={"speed": 3.5}),
    restarts=1,
    proven=("cd",),
).failed("why")


def report(number):
    return ReportEvent(
        time_us=number, use_case="u", directive_sequence=7, state="probation", event="installed",
        evidence={"predictions": 3, "p99_ms": None},
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "updates" / "journal"


def test_records_reports_and_the_time_floor_survive(path):
    journal = Journal(path, Disk())
    journal.put(RECORD, report(1), report(2))
    journal.raise_floor(5)
    journal.raise_floor(3)
    again = Journal(path, Disk())
    assert again.record("u") == RECORD
    assert [unsent for _, unsent in again.unsent()] == [report(1), report(2)]
    assert again.floor_us == 5


def test_a_report_handed_over_does_not_come_again(path):
    journal = Journal(path, Disk())
    journal.put(RECORD, report(1), report(2), report(3))
    (first, _), *_ = journal.unsent()
    journal.sent(first)
    again = Journal(path, Disk())
    assert [unsent.time_us for _, unsent in again.unsent()] == [2, 3]
    again.sent(again.unsent()[0][0])
    again.say(report(4))
    assert [unsent.time_us for _, unsent in Journal(path, Disk()).unsent()] == [3, 4]


@pytest.mark.parametrize("lost", [2, 5, 40])
def test_a_torn_last_line_counts_as_not_written(path, lost):
    journal = Journal(path, Disk())
    journal.put(RECORD, report(1))
    journal.put(replace(RECORD, state=State.COMMITTED), report(2))
    path.write_bytes(path.read_bytes()[:-lost])
    again = Journal(path, Disk())
    assert again.record("u").state is State.PROBATION
    assert len(again.unsent()) == 1
    again.put(replace(RECORD, state=State.ROLLING_BACK))
    assert Journal(path, Disk()).record("u").state is State.ROLLING_BACK


def test_garbage_in_the_middle_costs_its_line_and_no_more(path):
    journal = Journal(path, Disk())
    journal.put(RECORD)
    with path.open("ab") as file:
        file.write(b"\x00\xff garbage\n")
    journal.put(replace(RECORD, state=State.COMMITTED))
    assert Journal(path, Disk()).record("u").state is State.COMMITTED


def test_it_does_not_grow_without_end(path):
    journal = Journal(path, Disk())
    for _ in range(ENTRIES_KEPT + 50):
        journal.put(RECORD)
    assert len(path.read_bytes().splitlines()) < ENTRIES_KEPT
    assert Journal(path, Disk()).record("u") == RECORD


def test_failures_are_remembered_by_sequence_and_bounded():
    record = RECORD
    for sequence in range(100):
        record = replace(record, accepted=Accepted(sequence=sequence, sha256="")).failed(f"reason {sequence}")
    assert len(record.failures) == FAILURES_KEPT
    assert record.failures[99] == Failure(release="u/1", reason="reason 99")


def test_the_last_steps_of_each_use_case_survive_restarts_and_rewrites(path):
    journal = Journal(path, Disk())
    for number in range(ENTRIES_KEPT + STEPS_KEPT):
        journal.put(RECORD, replace(report(number), reason=f"reason {number}"))
        journal.put(RECORD, replace(report(number + 1), reason=f"reason {number}"))  # again: kept once
    journal.put(replace(RECORD, use_case="v"), replace(report(7), use_case="v"))
    for _ in range(2):
        journal = Journal(path, Disk())
        newest = ENTRIES_KEPT + STEPS_KEPT
        assert [step.time_us for step in journal.steps("u")] == [*range(newest - STEPS_KEPT, newest)]
        assert [step.time_us for step in journal.steps("v")] == [7]
    assert Journalled.read(path).steps("u") == journal.steps("u")


def test_what_strangers_sent_does_not_push_out_what_happened(path):
    journal = Journal(path, Disk())
    journal.put(RECORD, report(1))
    for number in range(2 * STEPS_KEPT):
        journal.say(replace(report(number), directive_sequence=0))
    assert [step.time_us for step in journal.steps("u")] == [1]


def test_reading_a_journal_for_people_changes_nothing_in_it(path):
    journal = Journal(path, Disk())
    journal.put(RECORD, report(1))
    with path.open("ab") as file:
        file.write(b"half a li")
    before = path.read_bytes()
    assert Journalled.read(path).records == {"u": RECORD}
    assert path.read_bytes() == before


def test_the_journal_of_an_older_agent_is_understood():
    fields = RECORD.to_fields()
    for name in ("since_us", "deferral", "proven"):
        del fields[name]
    understood = Record.from_fields(fields | {"failures": {"7": "why"}})
    assert understood.failures == {7: Failure(release="", reason="why")}
    assert understood.proven == (RECORD.good.sha256,)
    assert (understood.state, understood.trial) == (RECORD.state, RECORD.trial)


class FullDisk(Disk):
    full = False

    def create(self, path, content):
        if self.full:
            raise OSError(28, "No space left on device")
        super().create(path, content)

    def extend(self, path, content):
        if self.full:
            super().extend(path, content[:10])
            raise OSError(28, "No space left on device")
        super().extend(path, content)


def test_a_full_disk_is_an_error_and_nothing_is_believed_done(path):
    disk = FullDisk()
    journal = Journal(path, disk)
    journal.put(RECORD)
    disk.full = True
    with pytest.raises(JournalError, match="No space left"):
        journal.put(replace(RECORD, state=State.COMMITTED))
    assert journal.record("u").state is State.PROBATION
    disk.full = False
    journal.put(replace(RECORD, state=State.ROLLING_BACK))
    assert Journal(path, Disk()).record("u").state is State.ROLLING_BACK


def test_an_agent_comes_up_on_a_full_disk_with_what_the_journal_says(path):
    Journal(path, Disk()).put(RECORD, report(1))
    disk = FullDisk()
    disk.full = True
    journal = Journal(path, disk)
    assert (journal.record("u"), len(journal.unsent())) == (RECORD, 1)
    with pytest.raises(JournalError, match="No space left"):
        journal.say(report(2))
    disk.full = False
    journal.say(report(3))
    assert [told.time_us for _, told in Journal(path, Disk()).unsent()] == [1, 3]
