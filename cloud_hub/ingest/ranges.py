"""Ranges of sequences, and how far a commit mark may advance over them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from wire.messages import MOST_RANGES

Range = tuple[int, int]  # inclusive


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same sequences as ascending ranges that neither overlap nor touch."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def without(whole: Range, taken: Iterable[Range]) -> list[Range]:
    """What of ``whole`` is in none of ``taken``."""
    left: list[Range] = []
    at, end = whole
    for first, last in merged(taken):
        if last < at or first > end:
            continue
        if first > at:
            left.append((at, first - 1))
        at = last + 1
    if at <= end:
        left.append((at, end))
    return left


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How an epoch stands after its settled sequences were looked at."""

    mark: int  # every sequence up to it is settled
    beyond: tuple[Range, ...]  # settled ranges above it, at most as many as a message holds
    lost: tuple[Range, ...]  # below the floor and nowhere: nobody will ever send them


def advance(mark: int, floor: int, settled: Iterable[Range]) -> Advance:
    """Move ``mark`` over ``settled`` (stored, quarantined or covered by a gap) and over what is lost.

    ``floor`` is the lowest sequence the device still holds: what is below it and not settled is lost.
    """
    known = merged(settled)
    lost = without((mark + 1, floor - 1), known) if floor > mark + 1 else []
    beyond: list[Range] = []
    for first, last in merged([*known, *lost]):
        if first <= mark + 1:
            mark = max(mark, last)
        else:
            beyond.append((first, last))
    return Advance(mark=mark, beyond=_told(beyond), lost=tuple(lost))


def sparing(step: Advance, doubtful: Iterable[Range]) -> Advance:
    """What of ``step`` a device may hear that perhaps holds ``doubtful``: it lets go of what it hears."""
    every = list(doubtful)
    if not every:
        return step
    ranges = merged(left for whole in ((1, step.mark), *step.beyond) for left in without(whole, every))
    mark = ranges.pop(0)[1] if ranges and ranges[0][0] == 1 else 0
    return Advance(mark=mark, beyond=_told(ranges), lost=step.lost)


def _told(beyond: list[Range]) -> tuple[Range, ...]:
    """As many as a message holds, from both ends: a device sends its oldest and its newest at once."""
    if len(beyond) <= MOST_RANGES:
        return tuple(beyond)
    half = MOST_RANGES // 2
    return (*beyond[:half], *beyond[-half:])
