"""Which certificates are about to end: a device renews its own months before, or is in trouble."""

from datetime import datetime, timedelta
from typing import Protocol

WARNED = timedelta(days=30)


class Certified(Protocol):
    """A device, as far as its certificate goes."""

    @property
    def enrolled(self) -> datetime | None: ...
    @property
    def retired(self) -> datetime | None: ...
    @property
    def certificate_ends(self) -> datetime | None: ...


def warning(device: Certified, now: datetime) -> str:
    """What is wrong with the certificate of ``device`` at ``now``, real time; empty where nothing is."""
    if device.retired or not device.enrolled:
        return ""
    ends = device.certificate_ends
    if ends is None:
        return "no certificate is on record: it was enrolled before there was one, and is when it renews"
    if ends <= now:
        return "its certificate has ended, the broker refuses it: it renews by itself once it reaches the hub"
    if ends - now <= WARNED:
        return f"its certificate ends in {(ends - now).days} days, unrenewed: does it reach the hub?"
    return ""
