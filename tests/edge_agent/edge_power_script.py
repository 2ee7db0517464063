"""What a device does while its power fails: commits, marks, drops, log moves and reopenings, each said aloud."""

import hashlib
import json
import os
import random
import sys
from pathlib import Path

import numpy as np

from edge_agent import outbox_forgetting
from edge_agent.draft import Draft
from edge_agent.outbox import Key, Outbox, Queued
from wire.batch import BatchClass, GapEvent, ReportEvent, Series
from wire.codec import decode
from wire.messages import Marks

TABLE = b"t" * 32
LIVES, COMMITS, MAX_BYTES = 3, 16, 15_000


def say(**words: object) -> None:
    os.write(1, (json.dumps(words) + "\n").encode())


def draft(chance: random.Random, number: int) -> Draft:
    if chance.random() < 0.2:
        event = ReportEvent(
            time_us=number, use_case="u", directive_sequence=number, state="idle", event="accepted"
        )
        return Draft(batch_class=BatchClass.ALARM, table_hash=TABLE, events=(event,))
    size = chance.choice((5, 100, 900))
    values = np.random.default_rng(number).normal(size=size)
    series = Series(signal=0, times=np.arange(size, dtype=np.int64), values=values)
    return Draft(batch_class=BatchClass.SAMPLE, table_hash=TABLE, series=(series,))


def written(outbox: Outbox, before: Key) -> list[Queued]:
    """What came after ``before`` and is held."""
    return [
        queued
        for alarms in (True, False)
        for queued in outbox.after(before, limit=99, alarms=alarms)
        if queued.key.number == before.number
    ]


def hashes(batches: list[Queued]) -> dict[int, str]:
    return {queued.key.sequence: hashlib.sha256(queued.payload).hexdigest() for queued in batches}


def gaps(batches: list[Queued]) -> list[tuple[int, int, int]]:
    """Epoch, first and last sequence of what was told as lost."""
    events = [event for queued in batches for event in decode(queued.payload).events]
    return [
        (event.epoch, event.first_sequence, event.last_sequence)
        for event in events
        if isinstance(event, GapEvent)
    ]


def live(path: Path, chance: random.Random, count: int) -> int:
    outbox = Outbox.open(path, max_bytes=MAX_BYTES)
    say(opened=outbox.epoch)
    for _ in range(COMMITS):
        count += 1
        before = outbox.newest
        drafts = [draft(chance, 10 * count + each) for each in range(chance.randint(0, 4))]
        say(committing=count)
        outbox.commit(
            drafts,
            now_us=count,
            positions={"a": count},
            states={"s": str(count).encode()},
            tell_losses=chance.random() < 0.3,
        )
        last = outbox.newest.sequence
        batches = written(outbox, before)
        say(
            committed=count,
            epoch=outbox.epoch,
            first=before.sequence + 1,
            last=last,
            held=hashes(batches),
            told=gaps(batches),
            dropped=outbox.dropped,
        )
        if chance.random() < 0.4:
            epoch = chance.choice(outbox.floors()).epoch
            mark = chance.randint(0, last)
            say(forgetting=epoch, mark=mark)
            outbox.forget([Marks(epoch=epoch, mark=mark)])
    outbox.close()
    return count


def main() -> None:
    outbox_forgetting.LOG_BYTES = 100_000
    chance, count = random.Random(int(sys.argv[2])), 0
    for _ in range(LIVES):
        count = live(Path(sys.argv[1]), chance, count)


if __name__ == "__main__":
    main()
