"""A moment as a person writes it, on a clock on their wall: read in their zone, kept in UTC. Pure.

A browser's field gives a date and a time without a zone, so the zone comes beside it. An hour that a
zone leaves out or has twice is not guessed.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cloud_hub.errors import ConflictError
from wire.clock import EPOCH

UTC_NAME = "UTC"
LONGEST_NAME = 64


def parse(text: str, zone: str) -> datetime:
    """``2026-11-27T03:10`` on a clock in ``zone`` (IANA, or ""); ``ConflictError`` says what is wrong."""
    try:
        written = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConflictError(f"expected a date and a time, got {text[:40]!r}") from error
    try:
        moment = (written if written.tzinfo else _on_the_wall(written, zone)).astimezone(UTC)
    except OverflowError as error:
        raise ConflictError(f"expected a moment since 1970, got {text[:40]}") from error
    if moment < EPOCH:
        raise ConflictError(f"expected a moment since 1970, got {text[:40]}")
    return moment


def written(moment: datetime, zone: str) -> str:
    """What a browser's field shows for ``moment`` in ``zone``."""
    return moment.astimezone(_zone(zone)).replace(tzinfo=None).isoformat(timespec="minutes")


def there(moment: datetime, zone: str) -> str:
    """What a clock in ``zone`` shows at ``moment``; empty where it shows UTC."""
    local = moment.astimezone(_zone(zone))
    if not local.utcoffset():
        return ""
    return f"{local:%H:%M}" if local.date() == moment.astimezone(UTC).date() else f"{local:%m-%d %H:%M}"


def _on_the_wall(written: datetime, zone: str) -> datetime:
    place = _zone(zone)
    moment = written.replace(tzinfo=place)
    if moment.utcoffset() == moment.replace(fold=1).utcoffset():
        return moment
    back = moment.astimezone(UTC).astimezone(place).replace(tzinfo=None)
    what = "comes twice" if abs(back - written) < timedelta(seconds=1) else "is left out"
    raise ConflictError(
        f"{written:%H:%M} {what} on {written:%Y-%m-%d} in {zone}, as clocks change: give it in UTC"
    )


def _zone(name: str) -> ZoneInfo:
    """``ZoneInfo`` looks for files by name: only what looks like one of its names gets there."""
    try:
        return ZoneInfo(name[:LONGEST_NAME] or UTC_NAME)
    except (KeyError, ValueError, OSError) as error:  # unknown, no name at all, or a folder of them
        raise ConflictError(f"expected a zone such as Europe/Paris, got {name[:40]!r}") from error
