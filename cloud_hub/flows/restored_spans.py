"""From which moment on a restored database may lack what a device said. Pure.

What a device sent after the backup was made is newer than what it had sent before,
except where it was still behind then: with an old backlog to send, what came first
after the backup may be days old.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.ingest.ranges import Range, advance

# Batches that are closed together hold up to a minute (uplink.max_age_s), and may come in any order.
TOGETHER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """How an epoch of a device stood when the backup was made."""

    epoch: int  # signed, as the store keeps it
    mark: int
    highest: int  # that came
    held: int  # the highest that its last birth named; 0: it named none
    settled: tuple[Range, ...] = ()  # beyond the mark
    oldest: datetime | None = None  # receive time of the first of these

    @property
    def prefix(self) -> int:
        """Everything up to it is settled."""
        return advance(self.mark, 1, self.settled).mark


def behind(epochs: Sequence[Epoch], last_batch: datetime | None) -> list[Epoch]:
    """The epochs of which something old was outstanding: held at the last birth, or passed over for long."""
    return [each for each in epochs if each.prefix < each.held or _passed_over(each, last_batch)]


def _passed_over(epoch: Epoch, last_batch: datetime | None) -> bool:
    if epoch.highest <= epoch.prefix or epoch.oldest is None or last_batch is None:
        return False
    return last_batch - epoch.oldest > TOGETHER


def begin(
    newest: datetime | None,
    *,
    added: datetime,
    now: datetime,
    margin: timedelta = TOGETHER,
    anchors: Sequence[datetime | None] = (),
    horizon: datetime,
) -> datetime:
    """Where the gap begins.

    ``newest`` is the newest moment known of the device. ``anchors`` has, for each epoch
    that was behind, a moment up to which that one was complete; None where nothing
    tells, and then only ``horizon`` is certain, before which nothing is accepted.
    """
    if newest is None:
        return min(added, now)
    known = min(newest - margin, *(anchor - margin if anchor else horizon for anchor in anchors), now)
    return max(known, min(added, now))
