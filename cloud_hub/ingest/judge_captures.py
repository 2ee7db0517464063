"""Whether a capture can be kept. Pure: it and its signal table in, what the store takes or what is wrong out.

Like alarms, captures are few and precious: they may be old, and not from the future.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cloud_hub.store.reasons import Reason
from wire.batch import LONGEST_CAPTURE, Capture, Why
from wire.clock import readable

OLDEST_US = 0  # 1970: no device was born before
LONGEST_COMMAND = 100  # characters of its id
SAME_RATE = 1e-6


class Known(Protocol):
    """What a signal table says, by local signal: the hub's ids, of machines too, and rates."""

    @property
    def signals(self) -> npt.NDArray[np.int32]: ...
    @property
    def scalar(self) -> npt.NDArray[np.bool_]: ...
    @property
    def owners(self) -> npt.NDArray[np.int32]: ...
    @property
    def rates(self) -> npt.NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HubCapture:
    """A capture to store, with the hub's ids."""

    machine: int
    signal: int
    time_us: int
    rate_hz: float
    why: str
    command: str
    values: npt.NDArray[np.float32]


def judge_capture(capture: Capture, table: Known, latest_us: int) -> HubCapture | tuple[Reason, str]:
    """What of ``capture`` is stored, or why it is not; its neighbours are judged by themselves."""
    if (wrong := _wrong(capture, table, latest_us)) is not None:
        return wrong
    return HubCapture(
        machine=int(table.owners[capture.signal]),
        signal=int(table.signals[capture.signal]),
        time_us=capture.time_us,
        rate_hz=capture.rate_hz,
        why=capture.why,
        command=capture.command,
        values=capture.values,
    )


def _wrong(capture: Capture, table: Known, latest_us: int) -> tuple[Reason, str] | None:
    if capture.signal >= len(table.signals):
        return Reason.UNKNOWN_SIGNAL, f"expected a signal below {len(table.signals)}, got {capture.signal}"
    owner, length = f"signal {capture.signal}", len(capture.values)
    if table.scalar[capture.signal]:
        return Reason.WRONG_KIND, f"a capture of {owner}, which is declared a scalar"
    if not 0 < length <= LONGEST_CAPTURE:
        return Reason.WRONG_LENGTH, f"{owner}: expected 1 to {LONGEST_CAPTURE} values, got {length}"
    rate_hz = float(table.rates[capture.signal])
    if not (rate_hz > 0 and math.isclose(capture.rate_hz, rate_hz, rel_tol=SAME_RATE)):
        return Reason.WRONG_RATE, f"{owner}: expected {rate_hz:g} Hz as declared, got {capture.rate_hz:g} Hz"
    if not np.isfinite(capture.values).all():
        count = int(np.count_nonzero(~np.isfinite(capture.values)))
        return Reason.NOT_FINITE, f"{owner}: {count} of {length} values of a capture"
    return _wrong_time(owner, capture.time_us, latest_us) or _wrong_text(owner, capture)


def _wrong_time(owner: str, time_us: int, latest_us: int) -> tuple[Reason, str] | None:
    if time_us > latest_us:
        told = f"expected a time up to {readable(latest_us)}, got {readable(time_us)}"
        return Reason.FROM_THE_FUTURE, f"{owner}: {told}"
    if time_us < OLDEST_US:
        return Reason.TOO_LATE, f"{owner}: expected a time from 1970 on, got {readable(time_us)}"
    return None


def _wrong_text(owner: str, capture: Capture) -> tuple[Reason, str] | None:
    if capture.why not in list(Why):
        return Reason.BAD_CAPTURE, f"{owner}: expected one of {', '.join(Why)}, got {capture.why[:40]!r}"
    if "\0" in capture.command or len(capture.command) > LONGEST_COMMAND:
        return Reason.BAD_CAPTURE, f"{owner}: no command is called {capture.command[:40]!r}"
    return None
