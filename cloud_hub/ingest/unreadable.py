"""Bytes that come again and again and that nobody can read: which batch they are, told by what is missing.

A message whose header cannot be read says no sequence, so nothing settles it, and its
device would send it for ever: a place in its window lost, and a mark that never moves
again. But a device sends again only what it holds unmarked, the oldest first. So what
has come this often is the oldest sequence that the hub lacks, and that one becomes a
gap, its bytes kept in quarantine. Should the guess be wrong, then the batch itself is
stored when it comes, and the gap shortened, as with every gap.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cloud_hub.ingest.ledger import QUERIES, Key, note_missing
from cloud_hub.ingest.reading import Reading
from cloud_hub.store.database import Connection, Row
from wire.batch import GapEvent

OFTEN = 5  # times that the same bytes came
REASON = "unreadable"


def told_by_absence(
    connection: Connection, readings: Sequence[Reading], devices: Mapping[str, Row]
) -> dict[int, Key]:
    """By ``id`` of the reading, the keys of those that came often enough; one key at most for a device."""
    if not readings:
        return {}
    hashes = {item.sha256 for item in readings}
    rows = connection.execute(
        QUERIES["came_often"],
        {"devices": [row["id"] for row in devices.values()], "hashes": list(hashes), "often": OFTEN - 1},
    ).fetchall()
    found: dict[int, Key] = {}
    taken: set[int] = set()
    for row in rows:
        device, sha256 = row["device"], bytes(row["sha256"])
        same = [item for item in readings if (devices[item.device]["id"], item.sha256) == (device, sha256)]
        if not same or device in taken:
            continue
        taken.add(device)
        found |= {id(item): Key(device, row["epoch"], row["sequence"]) for item in same}
        connection.execute(QUERIES["forget_nameless"], {"id": row["id"]})
    return found


def give_up(connection: Connection, key: Key, mark: int, now: datetime) -> None:
    """Write down that this sequence will not come; the caller holds its locked ``mark``."""
    gap = GapEvent(
        time_us=0, reason=REASON, epoch=key.epoch, first_sequence=key.sequence, last_sequence=key.sequence
    )
    stream = (key.device, key.epoch)
    note_missing(connection, stream, gap, mark=mark, machine=None, times=(None, None), now=now)
