"""What will be a batch once the outbox has given it a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from wire.batch import BatchClass, Capture, Event, GapEvent, Header, Rows, Series
from wire.codec import encode_body


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packed:
    """A draft whose bytes are there but for its header, which takes a sequence."""

    batch_class: BatchClass
    table_hash: bytes
    backlog: bool
    body: bytes
    from_us: int  # the span of time it covers
    to_us: int

    def packed(self) -> Self:
        return self

    def header(self, *, epoch: int, sequence: int, floor: int) -> Header:
        return Header(
            batch_class=self.batch_class,
            epoch=epoch,
            sequence=sequence,
            floor=floor,
            table_hash=self.table_hash,
            backlog=self.backlog,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    batch_class: BatchClass
    table_hash: bytes
    backlog: bool = False
    series: tuple[Series, ...] = ()
    rows: tuple[Rows, ...] = ()
    events: tuple[Event, ...] = ()
    captures: tuple[Capture, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.series or self.rows or self.events or self.captures)

    def packed(self) -> Packed:
        """All the work of encoding that needs no sequence."""
        from_us, to_us = self.span()
        return Packed(
            batch_class=self.batch_class,
            table_hash=self.table_hash,
            backlog=self.backlog,
            body=encode_body(series=self.series, rows=self.rows, events=self.events, captures=self.captures),
            from_us=from_us,
            to_us=to_us,
        )

    def span(self) -> tuple[int, int]:
        """The first and the last time in it, in microseconds; zeros where it holds nothing."""
        columns = [column.times for column in self.series] + [rows.times for rows in self.rows]
        firsts = [int(times.min()) for times in columns if len(times)]
        lasts = [int(times.max()) for times in columns if len(times)]
        moments = [item.time_us for item in (*self.events, *self.captures)]
        return min(firsts + moments, default=0), max(lasts + moments, default=0)


def loss_draft(gaps: Sequence[GapEvent], beside: Sequence[Draft | Packed]) -> list[Draft]:
    """The batch that tells of ``gaps``, with the signal table of the batches it goes out beside."""
    if not gaps or not beside:
        return []
    return [Draft(batch_class=BatchClass.ALARM, table_hash=beside[0].table_hash, events=tuple(gaps))]
