"""Where a rollout may change devices now: its maintenance windows, in the time of each site."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud_hub.rollout.plan import PlanError
from firmware_configs.errors import WindowError
from firmware_configs.windows import Window, is_open, next_open


def closed(windows: tuple[Window, ...], zones: Iterable[str], now: datetime) -> dict[str, str]:
    """The zones in which no window is open, each with the reason for devices to wait there."""
    if not windows:
        return {}
    minute = now.replace(second=0, microsecond=0)
    found = {zone: _wait(windows, zone, minute) for zone in zones}
    return {zone: why for zone, why in found.items() if why}


def opens(windows: tuple[Window, ...], zone: str, now: datetime) -> datetime:
    """When devices in ``zone`` may be changed, from ``now`` on; ``PlanError`` where they never may."""
    try:
        return next_open(windows, now, ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise PlanError(f"expected an IANA time zone such as Europe/Berlin, got {zone!r}") from error
    except WindowError as error:
        raise PlanError(str(error)) from error


@lru_cache(maxsize=256)  # the next opening is searched minute by minute, and asked for every second
def _wait(windows: tuple[Window, ...], zone: str, minute: datetime) -> str:
    try:
        if is_open(windows, minute, ZoneInfo(zone)):
            return ""
        next_one = opens(windows, zone, minute)
        return f"waits for its window: {_listed(windows)} in {zone}, next {next_one:%F %R} UTC"
    except (PlanError, ZoneInfoNotFoundError, ValueError):
        return f"waits for its window: {_listed(windows)}, which does not open in {zone}"


def _listed(windows: tuple[Window, ...]) -> str:
    return "; ".join(map(str, windows))
