"""SQLite refuses a statement, each in turn: nothing is half done, counted wrongly, or written twice."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_agent import outbox as opening
from edge_agent import outbox_forgetting
from edge_agent.draft import Draft
from edge_agent.errors import OutboxError
from edge_agent.outbox import Key, Outbox
from edge_agent.outbox_writing import ROW_BYTES
from wire.batch import BatchClass, Series
from wire.codec import decode
from wire.messages import Marks

TABLE = bytes(32)
BUDGET = 1 << 16  # of which each commit here takes a third, so that the third one drops


class Failing(sqlite3.Connection):
    """Fails one statement: the one after ``left`` others, or any right behind a commit."""

    left: int | None = None
    behind_commits = False
    committed = False

    def execute(self, query: str, *arguments: object) -> sqlite3.Cursor:
        self._consider(query)
        return super().execute(query, *arguments)

    def executemany(self, query: str, *arguments: object) -> sqlite3.Cursor:
        self._consider(query)
        return super().executemany(query, *arguments)

    def _consider(self, query: str) -> None:
        if query == "ROLLBACK":
            return
        if Failing.behind_commits and Failing.committed:
            raise sqlite3.OperationalError("disk I/O error")
        Failing.committed = query == "COMMIT"
        if Failing.left is not None:
            Failing.left -= 1
            if Failing.left < 0:
                Failing.left = None
                raise sqlite3.OperationalError("disk I/O error")


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    """With three commits in it that nearly fill it."""
    usual = opening.connect

    def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
        usual(path, synchronous=synchronous).close()
        made = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)
        made.execute(f"PRAGMA synchronous = {synchronous}")
        return made

    monkeypatch.setattr(opening, "connect", connect)
    monkeypatch.setattr(outbox_forgetting, "connect", connect)
    monkeypatch.setattr(Failing, "left", None)
    monkeypatch.setattr(Failing, "behind_commits", False)
    made = Outbox.open(tmp_path / "outbox.db", max_bytes=BUDGET)
    for number in range(3):
        write(made, number)
    return made


def write(outbox: Outbox, number: int, *, tell_losses: bool = False) -> None:
    times = np.arange(2500, dtype=np.int64) + number * 2500
    values = np.random.default_rng(number).normal(size=2500)
    series = (Series(signal=0, times=times, values=values),)
    draft = Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=series)
    outbox.commit([draft], now_us=0, positions={"a": number}, states={"m": b"x"}, tell_losses=tell_losses)


def forget_first(outbox: Outbox) -> None:
    outbox.forget([Marks(epoch=outbox.epoch, mark=0, beyond=((1, 2),)), Marks(epoch=outbox.epoch, mark=2)])


def syncs(outbox: Outbox) -> bool:
    """Whether the next commit is synced; one that cannot promise it does not commit any more."""
    try:
        return outbox.synchronous() == 2  # FULL
    except OutboxError:
        with pytest.raises(OutboxError):
            write(outbox, 99)
        return False


def assert_sound(outbox: Outbox, path: Path) -> None:
    """What it counts is what there is; sequences rise without a hole but for what was told as lost."""
    with sqlite3.connect(path) as db:
        batches, payloads = db.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM batch"
        ).fetchone()
        lost = db.execute("SELECT coalesce(sum(last_sequence - first_sequence + 1), 0) FROM loss").fetchone()[
            0
        ]
    db.close()
    assert (outbox.backlog.batches, outbox.backlog.bytes) == (batches, payloads + ROW_BYTES * batches)
    assert outbox.has_losses == bool(lost)


@pytest.mark.parametrize("act", [lambda box: write(box, 3, tell_losses=True), forget_first])
def test_a_statement_that_fails_leaves_everything_or_nothing(
    outbox: Outbox, tmp_path: Path, act: Callable[[Outbox], None]
) -> None:
    statement, failed = 0, True
    while failed:
        before = (outbox.newest, outbox.positions())
        Failing.left, failed = statement, False
        try:
            act(outbox)
        except OutboxError:
            failed = True
        Failing.left = None
        statement += 1
        if not syncs(outbox):
            outbox.close()
            outbox = Outbox.open(tmp_path / "outbox.db", max_bytes=BUDGET)
        elif failed and act is not forget_first:
            assert (outbox.newest, outbox.positions()) == before
        assert_sound(outbox, tmp_path / "outbox.db")
    assert statement > 5, "each of them failed once"
    outbox.close()


def test_what_was_committed_is_never_said_to_have_failed(outbox: Outbox, tmp_path: Path) -> None:
    Failing.behind_commits = True
    for number in range(3, 9):
        newest = outbox.newest.sequence
        Failing.committed = False
        write(outbox, number)
        assert outbox.newest.sequence == newest + 1
    Failing.behind_commits = False
    assert outbox.dropped, "and some of them dropped"
    assert_sound(outbox, tmp_path / "outbox.db")
    outbox.close()


@pytest.mark.parametrize(
    "marks",
    [
        {"mark": 0, "beyond": ((-(1 << 50), 0),)},
        {"mark": 0, "beyond": ((1 << 45, 1 << 70),)},
        {"mark": 1 << 70},
        {"mark": 3, "beyond": ((-(1 << 80), -1), (1 << 80, 1 << 81))},
    ],
)
def test_a_mark_with_absurd_numbers_touches_no_other_epoch_and_ends_no_thread(
    tmp_path: Path, marks: dict[str, object]
) -> None:
    first = Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 30)
    write(first, 0)
    first.close()
    outbox = Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 30)
    write(outbox, 1)
    outbox.forget([Marks(epoch=outbox.epoch, **marks)])  # type: ignore[arg-type]
    held = [queued.key for queued in outbox.after(Key(0, 0), limit=9, alarms=False)]
    assert held == [Key(1, 1), Key(2, 1)][: 1 if marks["mark"] else 2]
    assert decode(outbox.payload(Key(1, 1)) or b"").epoch == first.epoch
    outbox.close()
