"""Which part of a chart's span comes from which rows: pure, so that every case can be tried.

Hours are read where they are whole, minutes around them, samples around those. What
was touched since its rollup was made is read from what the rollup is made of, so
that no chart is stale; what is not kept any more, from the next coarser rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

Range = tuple[int, int]  # [from, to) in microseconds since 1970


class Level(Enum):
    """What rows a piece is read from; the value is their width in microseconds."""

    SAMPLE = 0
    MINUTE = 60_000_000
    HOUR = 3_600_000_000


FINER = {Level.HOUR: Level.MINUTE, Level.MINUTE: Level.SAMPLE}
COARSER = {finer: coarser for coarser, finer in FINER.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    level: Level
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Since when there may be samples and minutes, in microseconds since 1970."""

    sample: int
    minute: int

    def since(self, level: Level) -> int | None:
        return {Level.SAMPLE: self.sample, Level.MINUTE: self.minute}.get(level)


def level_of(width_us: float) -> Level:
    """The coarsest rows that still fill every bucket of ``width_us``."""
    return max((level for level in Level if level.value <= width_us), key=lambda level: level.value)


def pieces(span: Range, level: Level, stale: Iterable[Range], kept: Kept) -> list[Piece]:
    """What to read for ``span``, at most as coarse as ``level`` wherever finer rows are kept.

    Pieces of rollups are whole rows of theirs, so one may begin before ``span`` or end after it where
    nothing finer is kept.
    """
    return _join(_cover(span, level, merged(stale), kept))


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same moments as few ranges in order."""
    found: list[Range] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif start < end:
            found.append((start, end))
    return found


def without(span: Range, taken: Iterable[Range]) -> list[Range]:
    """What of ``span`` is in none of ``taken``, which is in order."""
    left, at = [], span[0]
    for start, end in taken:
        if end <= at or start >= span[1]:
            continue
        if start > at:
            left.append((at, start))
        at = max(at, end)
    if at < span[1]:
        left.append((at, span[1]))
    return left


def _cover(span: Range, level: Level, stale: list[Range], kept: Kept) -> Iterator[Piece]:
    since = kept.since(level)
    if since is not None and span[0] < since:
        gone = (span[0], min(span[1], since))
        yield from _coarse(gone, COARSER[level], kept)
        span = (gone[1], span[1])
    if span[0] >= span[1]:
        return
    if level is Level.SAMPLE:
        yield Piece(level=level, start=span[0], end=span[1])
        return
    whole = [_inside(part, level) for part in without(span, [_around(each, level) for each in stale])]
    right = merged(whole)
    yield from (Piece(level=level, start=start, end=end) for start, end in right)
    for rest in without(span, right):
        yield from _cover(rest, FINER[level], stale, kept)


def _coarse(span: Range, level: Level, kept: Kept) -> Iterator[Piece]:
    """Nothing finer is kept of ``span``: whole rows that hold it, the newest of them may be shared."""
    start, end = _around(span, level)
    since = kept.since(level)
    if since is not None and start < since:
        yield from _coarse((start, min(end, since)), COARSER[level], kept)
        start = max(start, min(end, since))
    if start < end:
        yield Piece(level=level, start=start, end=end)


def _around(span: Range, level: Level) -> Range:
    return span[0] // level.value * level.value, -(-span[1] // level.value) * level.value


def _inside(span: Range, level: Level) -> Range:
    return -(-span[0] // level.value) * level.value, span[1] // level.value * level.value


def _join(found: Iterable[Piece]) -> list[Piece]:
    """Pieces of one level that touch are one; those of rollups never overlap afterwards."""
    by_level: dict[Level, list[Range]] = {}
    for piece in found:
        by_level.setdefault(piece.level, []).append((piece.start, piece.end))
    return sorted(
        (
            Piece(level=level, start=start, end=end)
            for level, ranges in by_level.items()
            for start, end in merged(ranges)
        ),
        key=lambda piece: piece.start,
    )
