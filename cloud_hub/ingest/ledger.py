"""Who was first: the ledger rows that make a batch count once, whoever delivers it how often.

The order of the statements is the promise. Ledger rows go in first, so that of
two processes with the same batch one waits for the other. Only a statement after
that reads the marks: a row that was pruned meanwhile is below a mark it then sees.
The marks stay locked for sharing until the commit, so none moves over a batch
that is about to be stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cloud_hub.ingest import arrays
from cloud_hub.ingest.ranges import Range, without
from cloud_hub.store.database import Connection, Row, load_queries
from wire.batch import GapEvent

QUERIES = load_queries("cloud_hub.ingest", "protocol.sql")
LOST = "lost-at-hub"  # the reason of a gap nobody has explained
GAP_LOCK = 0x676170  # "gap": rare, so one for all


class Key(NamedTuple):
    device: int
    epoch: int  # signed, as the store keeps it
    sequence: int


Stream = tuple[int, int]  # device, epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    key: Key
    sha256: bytes
    settled_as: str  # 'stored' or 'quarantined'


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """``new`` are this transaction's to store, ``reused`` came before with other bytes; others came again."""

    new: frozenset[Key]
    reused: frozenset[Key]
    marks: Mapping[Stream, int]


def claim(
    connection: Connection, claims: Sequence[Claim], streams: Iterable[Stream], now: datetime
) -> Claimed:
    """Claim each key for this transaction; ``streams`` are marks to lock beyond those of the keys."""
    every = sorted({*streams, *((item.key.device, item.key.epoch) for item in claims)})
    connection.execute(QUERIES["open_marks"], {**_columns(every), "now": now})
    inserted = _insert(connection, claims, now)
    marks = {
        (row["device"], row["epoch"]): int(row["mark"])
        for row in connection.execute(QUERIES["read_marks"], _columns(every))
    }
    settled = [key for key in inserted if key.sequence <= marks[key.device, key.epoch]]
    late = _open_gaps(connection, settled) if settled else set()
    known = [item for item in claims if item.key not in inserted]
    return Claimed(
        new=frozenset(inserted - set(settled)) | late, reused=_reused(connection, known), marks=marks
    )


def note_missing(
    connection: Connection,
    stream: Stream,
    gap: GapEvent,
    *,
    mark: int,
    machine: int | None,
    times: tuple[datetime | None, datetime | None],
    now: datetime,
) -> None:
    """Write down the sequences a device says will never come, less those that have a word already.

    What the hub gave up before it was told why is taken over: the device knows why, and from when to when.
    """
    connection.execute(QUERIES["lock_gaps"], {"key": GAP_LOCK})
    of = {"device": stream[0], "epoch": stream[1]}
    whole = (gap.first_sequence, gap.last_sequence)
    span = {"first": whole[0], "last": whole[1]}
    rows = connection.execute(QUERIES["gaps_between"], {**of, **span}).fetchall()
    given_up = [_take_over(connection, row, whole) for row in rows if row["reason"] == LOST]
    others = [(row["first_sequence"], row["last_sequence"]) for row in rows if row["reason"] != LOST]
    unsaid = without(whole, [(0, mark), *others, *given_up])
    for first, last in (*given_up, *unsaid):
        values = {**of, "machine": machine, "first": first, "last": last, "reason": gap.reason, "now": now}
        connection.execute(QUERIES["insert_gap"], {**values, "from_time": times[0], "to_time": times[1]})


def _take_over(connection: Connection, row: Row, whole: Range) -> Range:
    """Cut ``whole`` out of a gap; what they shared."""
    first, last = row["first_sequence"], row["last_sequence"]
    for left in without((first, last), [whole]):
        connection.execute(QUERIES["cut_gap"], {"id": row["id"], "first": left[0], "last": left[1]})
    connection.execute(QUERIES["drop_gap"], {"id": row["id"]})
    return max(first, whole[0]), min(last, whole[1])


def _insert(connection: Connection, claims: Sequence[Claim], now: datetime) -> set[Key]:
    if not claims:
        return set()
    values = {
        **_key_columns([item.key for item in claims]),
        "hashes": arrays.octets(item.sha256 for item in claims),
        "outcomes": [item.settled_as for item in claims],
        "now": now,
    }
    rows = connection.execute(QUERIES["claim"], values)
    return {Key(row["device"], row["epoch"], row["sequence"]) for row in rows}


def _reused(connection: Connection, known: Sequence[Claim]) -> frozenset[Key]:
    """Of the keys that were there before, those with another hash; a pruned one can only be a repeat."""
    if not known:
        return frozenset()
    expected = {item.key: item.sha256 for item in known}
    rows = connection.execute(QUERIES["claimed_before"], _key_columns(list(expected)))
    return frozenset(
        key
        for row in rows
        if bytes(row["hash"]) != expected[key := Key(row["device"], row["epoch"], row["sequence"])]
    )


def _open_gaps(connection: Connection, keys: Iterable[Key]) -> set[Key]:
    """Which of these settled keys were settled by a gap: they are taken out of it and are new after all."""
    connection.execute(QUERIES["lock_gaps"], {"key": GAP_LOCK})
    late = set()
    for key in sorted(keys):
        row = connection.execute(QUERIES["open_gap"], key._asdict()).fetchone()
        if row is not None and row["hits"]:
            late.add(key)
    return late


def _columns(streams: Sequence[Stream]) -> dict[str, str]:
    return {
        "devices": arrays.numbers(device for device, _ in streams),
        "epochs": arrays.numbers(epoch for _, epoch in streams),
    }


def _key_columns(keys: Sequence[Key]) -> dict[str, str]:
    return {
        "devices": arrays.numbers(key.device for key in keys),
        "epochs": arrays.numbers(key.epoch for key in keys),
        "sequences": arrays.numbers(key.sequence for key in keys),
    }
