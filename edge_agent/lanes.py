"""Where in the outbox the next batch is to be looked for: alarms, new ones, raw windows, old ones. Pure.

On connecting, all that is there is backlog, and what is written from then on is live.
Each lane goes forward through its own spans of keys, the oldest first. Live batches that
pile up all the same become a span of the backlog, so that the newest stay fresh. Raw windows,
one of which can be as long as minutes of all the rest, leave the live lane for one of their
own. There are few spans, for the hub has to tell of what lies between them range by range.
"""

from dataclasses import dataclass
from enum import IntEnum

from edge_agent.outbox import Key

DAWN = Key(0, 0)  # before every batch
MOST_SPANS = 16  # of the backlog
MOST_RAW = 4  # spans of raw windows; more of them go where they stand
MOST_OVERTAKING = 12  # alarms of the backlog ahead of what was written before them


class Lane(IntEnum):
    """In the order in which they go."""

    ALARM = 0
    OLD_ALARM = 1
    LIVE = 2
    RAW = 3
    BACKLOG = 4

    @property
    def alarms(self) -> bool:
        return self < Lane.LIVE


@dataclass(slots=True)
class _Span:
    after: Key  # up to here all of it went out
    upto: Key | None = None  # its end; None while it grows


class Lanes:
    """``newest`` is the key of the last batch that is in the outbox."""

    def __init__(self, newest: Key) -> None:
        self._spans = {
            Lane.ALARM: [_Span(newest)],
            Lane.OLD_ALARM: [_Span(DAWN, newest)],
            Lane.LIVE: [_Span(newest)],
            Lane.RAW: [],
            Lane.BACKLOG: [_Span(DAWN, newest)],
        }
        self._overtaking: list[Key] = []

    def waits(self, lane: Lane, newest: Key) -> bool:
        """Whether there may be a batch of this lane to send."""
        spans = self._spans[lane]
        return bool(spans) and spans[0].after < (spans[0].upto or newest)

    def cursor(self, lane: Lane) -> Key:
        """The next batch of this lane is the first behind this key."""
        return self._spans[lane][0].after

    def lag(self, newest: Key) -> int:
        """How many sequences were written since the last live batch that went out."""
        return max(0, newest.sequence - self._spans[Lane.LIVE][0].after.sequence)

    def found(self, lane: Lane, key: Key | None, newest: Key) -> bool:
        """Whether ``key``, the first behind the cursor, belongs to this lane; the lane goes on behind it.

        None, where there was none: ``newest`` has to be from before the look.
        """
        spans = self._spans[lane]
        end = spans[0].upto
        mine = key is not None and (end is None or key <= end)
        spans[0].after = key if mine and key is not None else max(spans[0].after, end or newest)
        if spans[0].after == end:
            del spans[0]
        if mine and key is not None and lane is Lane.OLD_ALARM:
            self._overtaking.append(key)
        return mine

    @property
    def overtaken_enough(self) -> bool:
        """Whether so many old alarms went ahead that more would be ranges too many for the hub to tell."""
        spans = self._spans[Lane.BACKLOG]
        self._overtaking = [key for key in self._overtaking if spans and key > spans[0].after]
        return len(self._overtaking) >= MOST_OVERTAKING

    @property
    def spans(self) -> int:
        """Of the backlog, that wait."""
        return len(self._spans[Lane.BACKLOG])

    def put_off(self, key: Key) -> bool:
        """Whether ``key``, the next live one, changed to the raw lane, to be overtaken by those behind it."""
        live, raw = self._spans[Lane.LIVE][0], self._spans[Lane.RAW]
        if raw and raw[-1].upto == live.after:
            raw[-1].upto = key
        elif len(raw) < MOST_RAW:
            raw.append(_Span(live.after, key))
        else:
            return False
        live.after = key
        return True

    def skip(self, newest: Key) -> None:
        """What is live and not sent becomes backlog, if there is room for one more span."""
        live, backlog = self._spans[Lane.LIVE][0], self._spans[Lane.BACKLOG]
        if live.after < newest and len(backlog) < MOST_SPANS:
            backlog.append(_Span(live.after, newest))
            live.after = newest
