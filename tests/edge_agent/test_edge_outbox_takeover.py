"""Outboxes out of another time: of an older layout, out of a restored image, copied."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from edge_agent import outbox_file, status
from edge_agent.draft import Draft
from edge_agent.outbox import Key, Outbox
from edge_agent.outbox_losses import untold
from wire.batch import Batch, BatchClass, Series
from wire.codec import decode, encode
from wire.messages import EpochFloor, Marks

TABLE = b"t" * 32
ROOMY = 1 << 30
OLD_EPOCH, OLDER_EPOCH = 77, 76
LAYOUT_1 = """
CREATE TABLE epoch (number INTEGER PRIMARY KEY, epoch BLOB NOT NULL UNIQUE, next INTEGER NOT NULL DEFAULT 1,
                    mark INTEGER NOT NULL DEFAULT 0);
CREATE TABLE batch (number INTEGER NOT NULL REFERENCES epoch, sequence INTEGER NOT NULL, class INTEGER NOT NULL,
                    from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, bytes INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE UNIQUE INDEX batch_by_age ON batch (number, sequence);
CREATE INDEX batch_by_worth ON batch (class, number, sequence);
CREATE TABLE loss (id INTEGER PRIMARY KEY, epoch BLOB NOT NULL, first_sequence INTEGER NOT NULL,
                   last_sequence INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL);
CREATE TABLE position (source TEXT PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL);
PRAGMA user_version = 1;
"""


def samples(first: int) -> Draft:
    times = np.arange(first, first + 10, dtype=np.int64)
    series = Series(signal=0, times=times, values=np.random.default_rng(first).normal(size=10))
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=(series,))


def held(outbox: Outbox) -> dict[Key, bytes]:
    return {
        queued.key: queued.payload
        for alarms in (True, False)
        for queued in outbox.after(Key(0, 0), limit=10_000, alarms=alarms)
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def write_layout_1(path: Path, batches: int) -> dict[Key, bytes]:
    """A queue of two epochs as the first release left it; what waits in it."""
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(LAYOUT_1)
    waiting: dict[Key, bytes] = {}
    for number, epoch in ((1, OLDER_EPOCH), (2, OLD_EPOCH)):
        db.execute("INSERT INTO epoch VALUES (?, ?, ?, 3)", (number, epoch.to_bytes(8), batches + 1))
        for sequence in range(4, batches + 1):
            worth = BatchClass.ALARM if sequence % 7 == 0 else BatchClass.SAMPLE
            batch = Batch(batch_class=worth, epoch=epoch, sequence=sequence, floor=4, table_hash=TABLE)
            payload = encode(batch)
            row = (number, sequence, list(BatchClass).index(worth), sequence, sequence, len(payload), payload)
            db.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            waiting[Key(number, sequence)] = payload
    db.execute("INSERT INTO loss VALUES (1, ?, 1, 2, 10, 20)", (OLDER_EPOCH.to_bytes(8),))
    db.execute("INSERT INTO position VALUES ('a', 42)")
    db.execute("INSERT INTO state VALUES ('m', x'01')")
    db.commit()
    db.close()
    return waiting


def assert_taken_over(outbox: Outbox, waiting: dict[Key, bytes], batches: int) -> None:
    assert outbox.damage is None
    assert held(outbox) == waiting
    alarms = [queued.key for queued in outbox.after(Key(0, 0), limit=999, alarms=True)]
    assert alarms == [key for key in waiting if key.sequence % 7 == 0]
    assert outbox.backlog.batches == len(waiting)
    assert (outbox.positions(), outbox.states(), outbox.has_losses) == ({"a": 42}, {"m": b"\x01"}, True)
    assert outbox.floors()[:2] == (
        EpochFloor(epoch=OLDER_EPOCH, floor=4, next=batches + 1),
        EpochFloor(epoch=OLD_EPOCH, floor=4, next=batches + 1),
    )


def test_a_queue_of_the_first_layout_is_taken_over_byte_for_byte(path: Path) -> None:
    waiting = write_layout_1(path, 100)
    outbox = Outbox.open(path, max_bytes=ROOMY)
    assert_taken_over(outbox, waiting, 100)
    outbox.commit([samples(1)], now_us=0)
    assert outbox.newest == Key(3, 1)
    outbox.forget([Marks(epoch=OLD_EPOCH, mark=50)])
    outbox.close()
    again = Outbox.open(path, max_bytes=ROOMY)
    assert again.backlog.batches == len(waiting) - 47 + 1
    again.close()


def test_losses_written_before_they_had_a_reason_were_of_a_full_disk(path: Path) -> None:
    outbox = Outbox.open(path, max_bytes=ROOMY)
    outbox.close()
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE loss DROP COLUMN reason")
    db.execute("INSERT INTO loss VALUES (1, ?, 1, 2, 10, 20)", (OLD_EPOCH.to_bytes(8),))
    db.commit()
    db.close()
    again = Outbox.open(path, max_bytes=ROOMY)
    again.commit([samples(1)], now_us=0, tell_losses=True)
    (told,) = (decode(payload) for key, payload in held(again).items() if key.sequence == 1)
    assert [(gap.reason, gap.first_sequence, gap.last_sequence) for gap in told.events] == [
        ("disk-full", 1, 2)
    ]
    again.close()


def test_a_take_over_that_dies_half_way_is_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = write_layout_1(path, 100)
    steps = iter(range(5))
    connect = outbox_file.connect

    class Dying(sqlite3.Connection):
        def execute(self, query: str, *arguments: object) -> sqlite3.Cursor:
            if query == outbox_file.SQL["moved"] and next(steps, None) is None:
                raise KeyboardInterrupt
            return super().execute(query, *arguments)

    def connect_dying(path: Path, *, synchronous: str) -> sqlite3.Connection:
        connect(path, synchronous=synchronous).close()
        return sqlite3.connect(path, isolation_level=None, factory=Dying)

    monkeypatch.setattr(outbox_file, "connect", connect_dying)
    with pytest.raises(KeyboardInterrupt):
        Outbox.open(path, max_bytes=ROOMY)
    monkeypatch.undo()
    outbox = Outbox.open(path, max_bytes=ROOMY)
    assert_taken_over(outbox, waiting, 100)
    outbox.close()


def test_an_outbox_out_of_an_older_image_knows_itself_by_the_hubs_marks(path: Path) -> None:
    life = Outbox.open(path, max_bytes=ROOMY)
    life.commit([samples(n) for n in range(3)], now_us=0, positions={"a": 3})
    life.forget([Marks(epoch=life.epoch, mark=3)])
    life.close()
    image = path.with_name("image.db")
    shutil.copy(path, image)
    sound = Outbox.open(path, max_bytes=ROOMY)
    sound.forget([Marks(epoch=life.epoch, mark=3)])
    assert not sound.outdated
    sound.close()
    restored = Outbox.open(image, max_bytes=ROOMY)
    assert restored.epoch != life.epoch, "nobody goes on with a number that may be taken"
    assert life.epoch in [item.epoch for item in restored.floors()], "the birth asks for its mark"
    restored.forget([Marks(epoch=5, mark=99)])
    assert not restored.outdated
    restored.forget([Marks(epoch=life.epoch, mark=3, beyond=((8, 9),))])
    assert restored.outdated
    restored.forget([Marks(epoch=restored.epoch, mark=0)])
    assert life.epoch not in [item.epoch for item in restored.floors()], "asked once"
    restored.close()


def test_a_clone_opens_an_epoch_of_its_own_and_resends_identical_bytes(path: Path) -> None:
    first = Outbox.open(path, max_bytes=ROOMY)
    first.commit([samples(1)], now_us=0)
    waiting = held(first)
    first.close()
    clone = path.with_name("clone.db")
    shutil.copy(path, clone)
    one, other = Outbox.open(path, max_bytes=ROOMY), Outbox.open(clone, max_bytes=ROOMY)
    assert one.epoch != other.epoch
    assert held(one) == held(other) == waiting
    one.close()
    other.close()


def test_what_was_lost_is_told_from_an_older_layout_too(path: Path) -> None:
    write_layout_1(path, 10)
    Outbox.open(path, max_bytes=ROOMY).close()
    db = sqlite3.connect(path)
    ((gap),) = untold(db, 0)
    db.close()
    assert (gap.epoch, gap.first_sequence, gap.last_sequence, gap.from_us, gap.to_us) == (76, 1, 2, 10, 20)


def test_a_damaged_outbox_is_a_gap_from_the_oldest_reading_that_waited_in_it(tmp_path: Path) -> None:
    told = {"sources": {"a": {"position": 9, "newest_us": 500}}, "outbox": {"oldest_us": 200}}
    status.write(tmp_path, told)
    assert status.last_position(tmp_path, "a") == (9, 200)
    status.write(tmp_path, told | {"outbox": {"oldest_us": 0}})
    assert status.last_position(tmp_path, "a") == (9, 500), "nothing waited"
    assert status.last_position(tmp_path, "b") == (0, 0)
    outbox = Outbox.open(tmp_path / "outbox.db", max_bytes=ROOMY)
    assert outbox.oldest_us() == 0
    outbox.commit([samples(300), samples(200)], now_us=0)
    assert outbox.oldest_us() == 300
    outbox.close()
