"""Values as people read them: figures of three digits, units, how long ago, the tone of a state."""

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask

from cloud_hub.terminal import printable

MISSING = "–"
UNITS = {
    "{cycle}": "cycles",
    "{score}": "",
    "1": "",
    "Cel": "°C",
    "m/s2": "m/s²",
    "mm/s": "mm/s",
    "[g]": "g",
    "m3/h": "m³/h",
    "/min": "rpm",
    "{rpm}": "rpm",
}
TONES = {
    "ok": "online committed done released passed healthy champion stored yes alive whole",
    "bad": "offline rolled-back failed refused halted alarm rejected no broken lost",
    "warn": "awaiting paused silent withdrawn kept aborted undone behind watch quarantined cancelled stopped",
    "busy": "running offered open queued approved returning candidate downloading verifying staged switching "
    "probation installing deferred doing asked",
}
TONE_OF = {state: tone for tone, states in TONES.items() for state in states.split()}
SIZES = ("B", "kB", "MB", "GB", "TB")
STEPS = ((86400.0 * 2, 86400.0, "d"), (3600.0 * 2, 3600.0, "h"), (60.0 * 2, 60.0, "min"), (2.0, 1.0, "s"))


def teach(app: Flask) -> None:
    """Make the words available to templates."""
    filters: dict[str, Callable[..., Any]] = {
        "figure": figure,
        "unit": unit,
        "moment": moment,
        "tone": tone,
        "ago": ago,
        "pretty": pretty,
        "size": size,
        "plain": printable,
    }
    for name, word in filters.items():
        app.add_template_filter(word, name)
    app.add_template_global(duration, "duration")


def figure(value: float | None, digits: int = 3) -> str:
    """Three digits that matter: 118, 4.24, 0.0123; large whole numbers with thin spaces."""
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.{digits}g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.1e}"


def size(count: float | None) -> str:
    """Bytes as people say them: 3 digits and a unit of thousands."""
    if count is None:
        return MISSING
    for step in SIZES:
        if abs(count) < 999.5 or step == SIZES[-1]:
            break
        count /= 1000
    return f"{figure(count)}\u202f{step}"


def unit(code: str | None) -> str:
    """A UCUM code as it is written beside a figure."""
    return UNITS.get(code or "", code or "")


def moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else MISSING


def ago(time: datetime | None, now: datetime) -> str:
    """How long ago by the hub's clock; never more exact than a glance needs."""
    if time is None:
        return "never"
    seconds = (now - time).total_seconds()
    if abs(seconds) < 2:
        return "just now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def duration(seconds: float) -> str:
    for least, size, name in STEPS:
        if seconds >= least:
            return f"{seconds / size:.0f}\u202f{name}"
    return f"{seconds:.1f}\u202fs"


def tone(state: str | None) -> str:
    """The colour of a state; its word always stands beside it."""
    return TONE_OF.get(state or "", "idle")


def pretty(value: Any) -> str:
    """Evidence as text, for whoever asks to see it."""
    return json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False)
