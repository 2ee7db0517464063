"""A recording: in one stream all that agents would get from the feeds of some devices, device by device.

Frames are those of ``wire.feed``, each with its length in front: ``Open`` names the
device, ``Hello`` says what its signals are, readings follow in time order, and ``End``
closes it, so that a stream that was cut short shows. No truth is in it: what really
happened goes to a directory of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from wire.feed import End, Hello, Open, Reading, to_bytes
from wire.table import SignalTable


class Recordable(Protocol):
    @property
    def table(self) -> SignalTable: ...

    def readings(self, after: int) -> Iterator[Reading]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    machines: int
    readings: int
    windows: int


def record(sources: Mapping[str, Recordable], out: BinaryIO, *, until_us: int | None = None) -> Recorded:
    """Write the readings of ``sources`` (by device) before ``until_us``; None: all there are."""
    machines = readings = windows = 0
    for device, source in sources.items():
        out.write(to_bytes(Open(source=device, position=0)))
        out.write(to_bytes(Hello(table=source.table, replayable=True)))
        position = 0
        for reading in source.readings(0):
            if until_us is not None and reading.time_us >= until_us:
                break
            out.write(to_bytes(reading))
            position = reading.position
            readings, windows = readings + 1, windows + len(reading.windows)
        out.write(to_bytes(End(position=position)))
        machines += len(source.table.machines)
    return Recorded(machines=machines, readings=readings, windows=windows)
