"""Commit marks: how far every sequence of an epoch is settled, moved under the row's lock and then told.

A transaction of its own, after the one that stored: what a mark message says was
committed before it was written. Below the floor, what neither came nor was
explained becomes a gap, so that the mark never waits for what nobody will send.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloud_hub.ingest.ledger import LOST, QUERIES, Stream
from cloud_hub.ingest.ranges import Advance, Range, advance, sparing, without
from cloud_hub.store.database import Connection, Row
from cloud_hub.store.epochs import from_store
from wire.messages import Marks

LOCK_FREE = QUERIES["lock_marks"].removesuffix(";") + " SKIP LOCKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the batches of one epoch said, taken together."""

    floor: int = 1
    highest: int = 0
    resent: int = 0
    backlog: int = 0

    def and_also(self, *, floor: int, sequence: int, again: bool, backlog: bool = False) -> "Told":
        return self.joined(Told(floor=floor, highest=sequence, resent=int(again), backlog=int(backlog)))

    def joined(self, other: "Told") -> "Told":
        """What both said."""
        return Told(
            floor=max(self.floor, other.floor),
            highest=max(self.highest, other.highest),
            resent=self.resent + other.resent,
            backlog=self.backlog + other.backlog,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A mark message and the device it is for."""

    device: str
    marks: Marks
    stream: Stream


def settle(
    connection: Connection, told: Mapping[Stream, Told], now: datetime, *, patient: bool = True
) -> list[Settled]:
    """Move the marks of these epochs as far as they go; returns what to tell the devices once committed.

    Unless ``patient``, marks that a process holds which stores just now are left as they are.
    """
    streams = sorted(told)
    if not streams:
        return []
    columns = {"devices": [device for device, _ in streams], "epochs": [epoch for _, epoch in streams]}
    lock = QUERIES["lock_marks"] if patient else LOCK_FREE
    standing = connection.execute(lock, columns).fetchall()
    before = _columns(standing, [row["mark"] for row in standing])
    stored = _ranges(connection, "ledger_ranges", before)
    gaps = _gaps(connection, before, stored)
    moved = [_advance(row, told, stored, gaps) for row in standing]
    for row, step in zip(standing, moved, strict=True):
        for first, last in step.lost:
            values = {"device": row["device"], "epoch": row["epoch"], "first": first, "last": last}
            nothing = {"machine": None, "from_time": None, "to_time": None}
            connection.execute(QUERIES["insert_gap"], {**values, **nothing, "reason": LOST, "now": now})
    _move(connection, standing, moved, told, now)
    connection.execute(QUERIES["prune"], before)
    return _messages(connection, standing, moved, told)


def _messages(
    connection: Connection, standing: list[Row], moved: list[Advance], told: Mapping[Stream, Told]
) -> list[Settled]:
    """What to tell the devices: not that it is settled what was given up and they may hold."""
    streams = [(row["device"], row["epoch"]) for row in standing]
    floors = {
        "devices": [device for device, _ in streams],
        "epochs": [epoch for _, epoch in streams],
        "floors": [told[stream].floor for stream in streams],
    }
    doubtful = _ranges(connection, "doubtful", floors)
    messages = []
    for row, stream, step in zip(standing, streams, moved, strict=True):
        safe = sparing(step, doubtful[stream])
        marks = Marks(epoch=from_store(row["epoch"]), mark=safe.mark, beyond=safe.beyond)
        messages.append(Settled(device=row["name"], marks=marks, stream=stream))
    return messages


def _advance(
    row: Row,
    told: Mapping[Stream, Told],
    stored: Mapping[Stream, list[Range]],
    gaps: Mapping[Stream, list[Range]],
) -> Advance:
    stream = (row["device"], row["epoch"])
    floor = max(row["floor"], told[stream].floor)
    return advance(row["mark"], floor, [*stored[stream], *gaps[stream]])


def _ranges(
    connection: Connection, query: str, before: Mapping[str, list[int]]
) -> Mapping[Stream, list[Range]]:
    ranges: dict[Stream, list[Range]] = defaultdict(list)
    for row in connection.execute(QUERIES[query], before):
        ranges[row["device"], row["epoch"]].append((row["first"], row["last"]))
    return ranges


def _gaps(
    connection: Connection, before: Mapping[str, list[int]], stored: Mapping[Stream, list[Range]]
) -> Mapping[Stream, list[Range]]:
    """The gaps beyond each mark; one that covers what came after all is cut down to what did not."""
    ranges: dict[Stream, list[Range]] = defaultdict(list)
    for row in connection.execute(QUERIES["gap_ranges"], before).fetchall():
        stream, whole = (row["device"], row["epoch"]), (row["first"], row["last"])
        left = without(whole, stored[stream])
        if left != [whole]:
            for first, last in left:
                connection.execute(QUERIES["cut_gap"], {"id": row["id"], "first": first, "last": last})
            connection.execute(QUERIES["drop_gap"], {"id": row["id"]})
        ranges[stream] += left
    return ranges


def _move(
    connection: Connection,
    standing: list[Row],
    moved: list[Advance],
    told: Mapping[Stream, Told],
    now: datetime,
) -> None:
    words = [told[row["device"], row["epoch"]] for row in standing]
    values = {
        **_columns(standing, [step.mark for step in moved]),
        "floors": [word.floor for word in words],
        "resents": [word.resent for word in words],
        "backlogs": [word.backlog for word in words],
        "highests": [word.highest for word in words],
        "now": now,
    }
    connection.execute(QUERIES["move_marks"], values)


def _columns(standing: list[Row], marks: list[int]) -> dict[str, list[int]]:
    return {
        "devices": [row["device"] for row in standing],
        "epochs": [row["epoch"] for row in standing],
        "marks": marks,
    }
