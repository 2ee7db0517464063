"""Reading a file of labels: a JSON object a line, each judged by itself, none lost for a neighbour's fault.

{"machine": "pump-7", "kind": "failure", "time": "2026-09-01T06:30:00Z", "fault": "outer race"}
{"machine": "pump-7", "kind": "verdict", "time": "...", "verdict": "wrong", "alarm": "2026-08-30T11:00:00Z"}
{"machine": "pump-7", "kind": "verdict", "time": "...", "verdict": "right", "since": "...", "until": "..."}

What the store could not keep or read back is refused here, for there it would take the
whole file along. A field that is null says nothing, as many systems write what they do not know.
"""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloud_hub.errors import ConflictError
from cloud_hub.store.labels import KINDS, NewLabel, check
from wire.clock import to_datetime

OWN = frozenset({"machine", "kind", "time"})  # whatever else a line says is kept as detail
MOMENTS = ("since", "until", "alarm")  # of the detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    line: int  # from 1
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int  # from 1
    label: NewLabel


def parse(lines: Iterable[str], *, now: datetime) -> Iterator[Line | Refusal]:
    """Every line that is not blank, as a label or with the reason it is none; ``now`` is the hub's time."""
    for number, text in enumerate(lines, start=1):
        if text.strip():
            try:
                yield Line(number=number, label=_label(json.loads(text, parse_constant=_refuse), now))
            except (ConflictError, ValueError, TypeError, OverflowError, RecursionError) as error:
                yield Refusal(line=number, reason=str(error))


def _label(row: Any, now: datetime) -> NewLabel:
    if not isinstance(row, dict):
        raise TypeError(f"expected a JSON object, got {row!r}"[:200])
    if missing := sorted(OWN - row.keys()):
        raise ValueError(f"missing {', '.join(missing)}")
    if not isinstance(row["machine"], str):
        raise TypeError(f"expected the name of a machine, got {row['machine']!r}"[:200])
    _check_storable(row)
    if row["kind"] not in KINDS:
        raise ValueError(f"expected a kind out of {', '.join(KINDS)}, got {row['kind']!r}")
    time = _time(row["time"])
    if time > now:
        raise ValueError(f"expected a time up to {now.isoformat()}, got {time.isoformat()}")
    detail = {key: value for key, value in row.items() if key not in OWN and value is not None}
    detail |= {name: _time(detail[name]).isoformat() for name in MOMENTS if name in detail}
    label = NewLabel(machine=row["machine"], kind=row["kind"], time=time, detail=detail)
    check(label)
    return label


def _time(value: Any) -> datetime:
    """ISO 8601 with its zone, or microseconds since 1970; in UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        return to_datetime(value)
    time = datetime.fromisoformat(str(value))
    if time.tzinfo is None:
        raise ValueError(f"expected a time with its zone, got {value!r}")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected a time between 1970 and now, got {value!r}") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"expected JSON, which knows no {constant}")


def _check_storable(value: Any) -> None:
    """ValueError where ``value`` holds what the store cannot: text with NUL or half a character, infinity."""
    if isinstance(value, dict):
        _check_storable([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            _check_storable(each)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("expected numbers that a float can hold, got a larger one")
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value)):
        raise ValueError(f"expected text in UTF-8 without NUL, got {value!r}"[:200])
