"""What a light device says until it is settled: the device's half of the commit protocol, in memory.

A batch is kept as the bytes it was sent as until its commit mark comes. At most ``WINDOW``
are out unmarked, and only the oldest is sent again, later each time. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wire.batch import BatchClass, Event, Header
from wire.codec import encode_body, seal
from wire.messages import EpochFloor, Marks

WINDOW = 32
FIRST_RESEND_S, LONGEST_RESEND_S = 5.0, 60.0

Key = tuple[int, int]  # epoch, sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    epoch: int
    sequence: int
    payload: bytes


class Outbox:
    """``before`` says which epochs this device had and may be asked for; ``held`` what it holds of them."""

    def __init__(
        self,
        epoch: int,
        table_hash: bytes,
        *,
        before: Sequence[EpochFloor] = (),
        held: Sequence[Held] = (),
    ) -> None:
        self._epoch = epoch
        self._table_hash = table_hash
        self._next = 1
        self._ends = {item.epoch: item.next for item in before}
        self._held: dict[Key, Held] = {(item.epoch, item.sequence): item for item in held}
        self._out: set[Key] = set()
        self._resent = 0  # times, the oldest
        self._hurry = False  # the last one had to be sent again: those behind it were lost with it
        self._known = False  # whether the hub has spoken of this epoch

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> list[Held]:
        return list(self._held.values())

    def add(self, event: Event) -> None:
        """Keep one event as a batch of its own; its bytes never change from here on."""
        sequence, self._next = self._next, self._next + 1
        header = Header(
            batch_class=BatchClass.ALARM,
            epoch=self._epoch,
            sequence=sequence,
            floor=self._floor(self._epoch, sequence),
            table_hash=self._table_hash,
        )
        payload = seal(header, encode_body(events=(event,)))
        self._held[self._epoch, sequence] = Held(epoch=self._epoch, sequence=sequence, payload=payload)

    def settle(self, marks: Marks) -> bool:
        """Forget what is settled; whether that was anything."""
        self._known |= marks.epoch == self._epoch
        settled = [
            key
            for key in self._held
            if key[0] == marks.epoch
            and (key[1] <= marks.mark or any(first <= key[1] <= last for first, last in marks.beyond))
        ]
        for key in settled:
            del self._held[key]
            self._out.discard(key)
        if settled:
            self._hurry, self._resent = self._resent > 0, 0
        return bool(settled)

    def unsent(self) -> list[Held]:
        """What may go now; from here on it counts as out."""
        room = WINDOW - len(self._out)
        going = [item for key, item in self._held.items() if key not in self._out][: max(room, 0)]
        self._out.update((item.epoch, item.sequence) for item in going)
        return going

    def oldest_out(self) -> Held | None:
        """The oldest that was sent and is not settled."""
        return next((item for key, item in self._held.items() if key in self._out), None)

    def note_resent(self) -> None:
        """The oldest was sent once more."""
        self._resent += 1
        self._hurry = False

    @property
    def patience_s(self) -> float:
        """How long to wait for a mark before the oldest is sent again."""
        return 0.0 if self._hurry else float(min(FIRST_RESEND_S * 2**self._resent, LONGEST_RESEND_S))

    def restart(self) -> None:
        """The connection is a new one: nothing is out."""
        self._out.clear()
        self._resent, self._hurry = 0, False

    def floors(self) -> tuple[EpochFloor, ...]:
        """Per epoch the lowest sequence held and the next to be given, the current one last."""
        ends = self._ends | {self._epoch: self._next}
        return tuple(
            EpochFloor(epoch=epoch, floor=self._floor(epoch, end), next=end) for epoch, end in ends.items()
        )

    def remembered(self) -> tuple[EpochFloor, ...]:
        """The epochs that births have to name after a restart, or the hub would tell of a lost outbox.

        This one, older ones that hold something, and all of them where the hub may not know this one.
        """
        *older, current = self.floors()
        return (*(item for item in older if item.floor < item.next or not self._known), current)

    def _floor(self, epoch: int, otherwise: int) -> int:
        return min((sequence for held, sequence in self._held if held == epoch), default=otherwise)
