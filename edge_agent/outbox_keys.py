"""What a batch in the outbox is known by: its epoch's number and its sequence, packed into one id on disk."""

from dataclasses import dataclass
from typing import NamedTuple, Self

SEQUENCE_BITS = 40  # of an id, below its epoch's number


class Key(NamedTuple):
    """One batch on this device; keys ascend with age, the oldest first."""

    number: int  # of the epoch, in the order of opening
    sequence: int

    @classmethod
    def of(cls, identity: int) -> Self:
        return cls(*divmod(identity, 1 << SEQUENCE_BITS))

    @property
    def id(self) -> int:
        return (self.number << SEQUENCE_BITS) + self.sequence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queued:
    key: Key
    alarm: bool
    raw: bool  # windows of waveforms, which nobody waits for
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    batches: int
    bytes: int
