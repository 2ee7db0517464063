"""What Grafana makes of a query before the database sees it: its macros and variables, as its source has them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MACRO = re.compile(r"\$(__[A-Za-z]+)\(([^)]*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A span, a width of stretches, and what is chosen in the variables."""

    end: datetime
    span: timedelta = timedelta(hours=24)
    interval: str = "1m"
    timescale: bool = False
    site: tuple[str, ...] = ("lyon",)
    machine: str = "pump-1"
    signal: str = "flow"

    @property
    def start(self) -> datetime:
        return self.end - self.span

    @property
    def interval_s(self) -> float:
        return _seconds(self.interval)


def expanded(sql: str, asked: Asked) -> str:
    """``sql`` as the database gets it; ``ValueError`` for what Grafana does not know."""
    text = sql.replace("$__interval_ms", f"{asked.interval_s * 1000:.0f}").replace(
        "$__interval", asked.interval
    )
    for name, chosen in (("site", asked.site), ("machine", (asked.machine,)), ("signal", (asked.signal,))):
        text = text.replace(f"${{{name}:sqlstring}}", ",".join(map(_quoted, chosen)))
    text = MACRO.sub(
        lambda found: _macro(found[1], [arg.strip() for arg in found[2].split(",")], asked), text
    )
    if "$" in text:
        raise ValueError(f"Grafana would leave a $ in {text!r}")
    return text


def _macro(name: str, arguments: list[str], asked: Asked) -> str:
    first, last = (f"'{each.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}'" for each in (asked.start, asked.end))
    known = {
        "__timeFilter": f"{arguments[0]} BETWEEN {first} AND {last}",
        "__timeFrom": first,
        "__timeTo": last,
        "__unixEpochFrom": str(int(asked.start.timestamp())),
        "__unixEpochTo": str(int(asked.end.timestamp())),
    }
    if name in ("__timeGroup", "__timeGroupAlias"):
        return _group(arguments, asked) + (' AS "time"' if name.endswith("Alias") else "")
    if name not in known:
        raise ValueError(f"no macro {name}")
    return known[name]


def _group(arguments: list[str], asked: Asked) -> str:
    seconds = _seconds(arguments[1].strip("'"))
    if asked.timescale:
        return f"time_bucket('{seconds:.3f}s',{arguments[0]})"
    return f"floor(extract(epoch from {arguments[0]})/{seconds:g})*{seconds:g}"


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def _quoted(text: str) -> str:
    """As ``:sqlstring`` does it."""
    return "'" + text.replace("'", "''") + "'"
