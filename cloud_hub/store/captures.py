"""Captures as people look at them: which there are of a machine, the values of one, and how long they stay.

Windows of one machine and time are one capture, named by that time in microseconds, whatever
batches they came in and however often: a device out of an older image may send one again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from cloud_hub.config import StoreSettings
from cloud_hub.errors import NotFoundError
from cloud_hub.store.database import Connection, Database, Row, load_queries
from wire.batch import Why
from wire.clock import Clock

QUERIES = load_queries("cloud_hub.store", "captures.sql")
_ORDER: list[str] = list(Why)
MOST_DELETED = 2000  # windows in one turn of upkeep: a few hundred MB of the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One capture without its values; ``whys`` has the most telling reason first."""

    time: datetime  # of the first value, by the device's clock
    whys: tuple[str, ...]
    signals: tuple[str, ...]
    seconds: float  # of the longest window
    received: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """``values`` float32 [n] at ``rate_hz``, the first at ``time``."""

    signal: str
    unit: str
    time: datetime
    rate_hz: float
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a machine's device was asked for last."""

    id: str
    asked: datetime
    asked_by: str
    answered: datetime | None


def taken(
    database: Database, machine: str, *, signal: str | None = None, most: int, offset: int = 0
) -> tuple[list[Taken], int]:
    """Captures of ``machine``, or of one of its signals, newest first; and how many there are in all."""
    values = {"machine": machine, "signal": signal, "time": None, "most": most, "offset": offset}
    rows = database.rows(QUERIES["taken"], values)
    counted = database.row(QUERIES["count"], values)
    return [_taken(row) for row in rows], int(counted["captures"]) if counted else 0


def one(database: Database, machine: str, time: datetime) -> Taken:
    """``NotFoundError`` where no window of that moment is kept."""
    values = {"machine": machine, "signal": None, "time": time, "most": 1, "offset": 0}
    row = database.row(QUERIES["taken"], values)
    if row is None:
        raise NotFoundError("capture", f"{machine} at {time:%Y-%m-%d %H:%M:%S} UTC")
    return _taken(row)


def window(database: Database, machine: str, time: datetime, signal: str) -> Window:
    """``NotFoundError`` where that moment's window of ``signal`` is not kept."""
    row = database.row(QUERIES["window"], {"machine": machine, "signal": signal, "time": time})
    if row is None:
        raise NotFoundError("capture", f"{machine}/{signal} at {time:%Y-%m-%d %H:%M:%S} UTC")
    values = np.frombuffer(bytes(row["values"]), "<f4")
    return Window(signal=signal, unit=row["unit"], time=time, rate_hz=row["rate_hz"], values=values)


def request(database: Database, machine: str) -> Request | None:
    row = database.row(QUERIES["request"], {"machine": machine})
    return None if row is None else Request(**row)


def tidy(connection: Connection, store: StoreSettings, clock: Clock) -> int:
    """Delete some of what is too old, or beyond the newest of its machine and reason; how many windows.

    At most ``MOST_DELETED`` of each a turn, so that nobody waits; the next one goes on.
    """
    old = {"before": clock.now() - timedelta(days=store.capture_days), "most": MOST_DELETED}
    many = {"kept": store.captures_each, "whys": _ORDER, "most": MOST_DELETED}
    gone = connection.execute(QUERIES["expire"], old).rowcount
    return gone + connection.execute(QUERIES["trim"], many).rowcount


def _taken(row: Row) -> Taken:
    return Taken(
        time=row["time"],
        whys=tuple(sorted(row["reasons"], key=_ORDER.index)),
        signals=tuple(row["signals"]),
        seconds=row["seconds"],
        received=row["received"],
    )
