"""A disk that is really full: the agent lives, alarms are kept, what had to go is told, nothing twice."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from edge_models import BELOW_20, FixedReleases, release
from edge_world import REPOSITORY, trend_reading, trend_table, until

from edge_agent import recorder as recording
from edge_agent.config import UplinkSettings
from edge_agent.draft import Draft
from edge_agent.errors import OutboxError, OutboxFullError
from edge_agent.outbox import Key, Outbox
from edge_agent.outbox_room import RESERVE_BYTES, Room
from edge_agent.phases import Phases
from edge_agent.recorder import Recorder
from kernels import sets
from wire.batch import AlarmEvent, Batch, BatchClass, GapEvent, ReportEvent, Series
from wire.clock import Clock
from wire.codec import decode
from wire.feed import Hello
from wire.messages import Marks

TABLE = b"t" * 32
DISK = 24 << 20
ROOMY = 1 << 30
NAMES = sets.make("trend/1", scalars=["s0", "s1", "s2"]).names


def samples(number: int, size: int = 12_000) -> Draft:
    """About 100 kB that nothing compresses."""
    values = np.random.default_rng(number).normal(size=size)
    series = Series(signal=0, times=np.arange(size, dtype=np.int64) + number * size, values=values)
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=(series,))


def report(number: int) -> Draft:
    event = ReportEvent(
        time_us=number, use_case="u", directive_sequence=number, state="idle", event="accepted"
    )
    return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE, events=(event,))


def batches(outbox: Outbox) -> dict[Key, Batch]:
    """Read in small steps, as the uplink does."""
    found: dict[Key, Batch] = {}
    for alarms in (True, False):
        key = Key(0, 0)
        while some := outbox.after(key, limit=8, alarms=alarms):
            found |= {queued.key: decode(queued.payload) for queued in some}
            key = some[-1].key
    return found


def accounted(outbox: Outbox, last: int) -> tuple[set[int], list[int]]:
    """Sequences held, and sequences that gaps tell of, up to ``last``."""
    found = batches(outbox)
    gaps = [event for batch in found.values() for event in batch.events if isinstance(event, GapEvent)]
    told = [n for gap in gaps for n in range(gap.first_sequence, gap.last_sequence + 1)]
    return {key.sequence for key in found if key.sequence <= last}, told


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Take what room there is, as a log that grew would."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    size = filler.stat().st_size if filler.exists() else 0
    with filler.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, size + room.f_bavail * room.f_frsize - leave)
    return filler


@pytest.fixture
def opened(disk: Path) -> Iterator[Callable[..., Outbox]]:
    made: list[Outbox] = []

    def open_on_disk(**options) -> Outbox:
        made.append(Outbox.open(disk / "state" / "outbox.db", **({"max_bytes": ROOMY} | options)))
        return made[-1]

    yield open_on_disk
    for outbox in made:
        outbox.close()


def commit_until_gap(outbox: Outbox, start: int) -> int:
    """Small reports until what was lost is told; the last number used."""
    number = start
    while outbox.has_losses:
        outbox.commit([report(number)], now_us=number, tell_losses=True)
        number += 1
    return number


def commit_until_refused(outbox: Outbox) -> int:
    """How many were taken before."""
    for number in range(1, 1000):
        try:
            outbox.commit([samples(number)], now_us=0, positions={"a": number})
        except OutboxFullError:
            return number - 1
    raise AssertionError("a full disk refused nothing")


def test_a_full_disk_drops_samples_keeps_alarms_and_tells_all_of_it(
    opened: Callable[..., Outbox], disk: Path
) -> None:
    outbox = opened()
    filler = fill(disk, leave=6 << 20)
    alarms = set()
    for number in range(1, 301):
        if number % 10 == 0:
            outbox.commit([report(number)], now_us=number, positions={"a": number})
            alarms.add(outbox.newest.sequence)
        else:
            outbox.commit([samples(number)], now_us=number, positions={"a": number})
    assert outbox.disk_full
    assert outbox.dropped > 100
    last = outbox.newest.sequence
    assert last == 300, "one batch a commit, refused none"
    assert alarms <= {key.sequence for key in batches(outbox)}
    filler.unlink()
    time.sleep(1.1)
    commit_until_gap(outbox, 301)
    held, told = accounted(outbox, last)
    assert sorted([*held, *told]) == list(range(1, last + 1)), "held or told, never neither, never both"
    assert not outbox.disk_full, "the budget counts again"
    before = outbox.dropped
    for number in range(400, 440):
        outbox.commit([samples(number)], now_us=number)
    assert outbox.dropped == before
    outbox.close()
    again = Outbox.open(disk / "state" / "outbox.db", max_bytes=ROOMY)
    assert (again.positions(), again.damage) == ({"a": 300}, None)
    assert held <= {key.sequence for key in batches(again) if key.number == 1}
    again.close()


def test_a_full_disk_refuses_samples_where_that_is_wanted_and_takes_alarms(
    opened: Callable[..., Outbox], disk: Path
) -> None:
    outbox = opened(refuses=True)
    filler = fill(disk, leave=2 << 20)
    taken = commit_until_refused(outbox)
    number = taken + 1
    for each in range(50):
        outbox.commit([report(each)], now_us=0)
    assert (outbox.positions(), outbox.dropped) == ({"a": taken}, 0)
    assert len(batches(outbox)) == taken + 50
    assert outbox.forget([Marks(epoch=outbox.epoch, mark=taken // 2)]) == taken // 2
    outbox.commit([samples(number)], now_us=0, positions={"a": number})
    filler.unlink()
    time.sleep(1.1)
    for number in range(taken + 2, taken + 40):
        outbox.commit([samples(number)], now_us=0, positions={"a": number})
    assert not outbox.disk_full
    assert len(batches(outbox)) == taken - taken // 2 + 50 + 39


def test_what_a_full_disk_keeps_from_being_forgotten_is_forgotten_later(
    opened: Callable[..., Outbox], disk: Path
) -> None:
    outbox = opened(refuses=True)
    outbox.commit([samples(n) for n in range(4)], now_us=0)
    (disk / "state" / "outbox.db-reserve").unlink()
    filler = fill(disk)
    with pytest.raises(OutboxFullError, match="is full"):
        outbox.commit([report(n) for n in range(20_000)], now_us=0)
    gone = [outbox.forget([Marks(epoch=outbox.epoch, mark=2)]) for _ in range(500)]
    assert set(gone) <= {0, 2}
    filler.unlink()
    time.sleep(1.1)
    gone.append(outbox.forget([]))
    assert sum(gone) == 2, "once, now or then"
    assert [queued.key.sequence for queued in outbox.after(Key(0, 0), limit=9, alarms=False)] == [3, 4]
    outbox.commit([samples(5)], now_us=0)


def test_a_reserve_that_forgetting_took_is_put_by_again(tmp_path: Path) -> None:
    now = 0.0
    room = Room(tmp_path / "outbox.db", max_bytes=ROOMY, monotonic=lambda: now)
    room.begin()
    assert room.give_up(5000, 1000)
    assert (room.disk_full, room.limit) == (True, 6000), "or the next alarm would find no room"
    assert not room.give_up(5000, 1000), "there is one"
    now = 2.0
    room.relax(lambda: 0)
    assert (room.disk_full, room.limit) == (False, ROOMY)
    assert (tmp_path / "outbox.db-reserve").stat().st_size == RESERVE_BYTES


def test_an_agent_starts_on_a_full_disk_by_giving_its_reserve_up(
    opened: Callable[..., Outbox], disk: Path
) -> None:
    first = opened()
    reserve = disk / "state" / "outbox.db-reserve"
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES, "blocks, not a promise of them"
    first.commit([samples(1)], now_us=0, positions={"a": 1})
    first.close()
    fill(disk)
    again = opened()
    assert (again.damage, again.positions()) == (None, {"a": 1}), "a full disk is not damage"
    again.commit([report(1)], now_us=0)
    assert [event.time_us for batch in batches(again).values() for event in batch.events] == [1]
    assert not reserve.exists()


class Bystander:
    def committed(self) -> None: ...

    def table_changed(self) -> None: ...

    def behind(self) -> bool:
        return True


def test_alarms_are_judged_and_memory_stays_bounded_while_nothing_can_be_written(
    opened: Callable[..., Outbox], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "LARGEST", 1 << 15)
    monkeypatch.setattr(recording, "LOSSES_EVERY_S", 0.0)
    outbox = opened()
    settings = UplinkSettings(max_rows=50, max_age_s=0.05)
    recorder = Recorder(
        source="press-04",
        outbox=outbox,
        settings=settings,
        clock=Clock.real(),
        watcher=Bystander(),
        phases=Phases((), Clock.real()),
    )
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=20.0, slope=15.0)))
    recorder.hello(Hello(table=trend_table(), replayable=True))
    recorder.take(trend_reading(1))
    recorder.flush()
    filler = fill(disk)
    position, most = 1, 0
    while position < 2000:
        position += 1
        recorder.take(trend_reading(position))
        most = max(most, recorder._columns.bytes)
        if position % 50 == 0:
            fill(disk)
    assert recorder.full
    assert most < 1 << 16
    filler.unlink()
    until(lambda: recorder.tick() or not recorder.full, timeout_s=10)
    while outbox.has_losses:
        position += 1
        recorder.take(trend_reading(position))
        recorder.flush()
    recorder.flush()
    assert outbox.positions() == {"press-04": position}
    found = batches(outbox).values()
    events = [event for batch in found for event in batch.events]
    assert any(isinstance(event, AlarmEvent) for event in events)
    held = {int(when) for batch in found for series in batch.series for when in series.times}
    gaps = [event for event in events if isinstance(event, GapEvent) and event.reason == "disk-full"]
    for reading in map(trend_reading, range(1, position + 1)):
        when = reading.time_us
        assert when in held or any(gap.from_us <= when <= gap.to_us for gap in gaps), "nothing silently"


def test_pages_that_run_out_are_taken_from_the_least_precious(tmp_path: Path) -> None:
    """Where no file system can be mounted, SQLite itself can be told to have no more pages."""
    outbox = Outbox.open(tmp_path / "outbox.db", max_bytes=ROOMY)
    outbox._db.execute("PRAGMA max_page_count = 800")
    for number in range(1, 201):
        draft = report(number) if number % 10 == 0 else samples(number)
        outbox.commit([draft], now_us=number, positions={"a": number})
    assert outbox.disk_full
    assert outbox.dropped > 100
    last = outbox.newest.sequence
    commit_until_gap(outbox, 300)
    held, told = accounted(outbox, last)
    assert sorted([*held, *told]) == list(range(1, last + 1))
    assert set(range(10, last + 1, 10)) <= held
    outbox.close()


LIMITED = """
    import resource, sys
    from pathlib import Path
    sys.path.insert(0, "tests/edge_agent")
    from edge_agent.errors import OutboxFullError
    from edge_agent.outbox import Outbox
    from test_edge_outbox_disk import accounted, commit_until_gap, report, samples
    from wire.messages import Marks

    resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, resource.RLIM_INFINITY))
    outbox = Outbox.open(Path(sys.argv[1]), max_bytes=1 << 30)
    refused = 0
    for number in range(1, 201):
        try:
            outbox.commit([samples(number)], now_us=number, positions={"a": number})
        except OutboxFullError:
            refused += 1
    assert refused > 20, refused
    outbox.forget([Marks(epoch=outbox.epoch, mark=1)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    outbox.commit([report(300)], now_us=300)
    outbox.forget([])
    commit_until_gap(outbox, 301)
    held, told = accounted(outbox, 200 - refused)
    assert sorted({1, *held, *told}) == list(range(1, 201 - refused))
    outbox.close()
    print("sound")
"""


def test_a_file_that_may_not_grow_refuses_until_it_may(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path / "outbox.db")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("sound\n"), done.stderr


def test_a_file_that_cannot_be_opened_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    Outbox.open(path, max_bytes=ROOMY).close()
    path.rename(tmp_path / "elsewhere")
    path.mkdir()
    with pytest.raises(OutboxError, match="cannot be opened"):
        Outbox.open(path, max_bytes=ROOMY)
    assert not list(tmp_path.glob("*.damaged-*"))
