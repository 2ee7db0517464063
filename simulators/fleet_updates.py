"""An update on a light device: the states a real one goes through, in their order and at a pace. Pure.

Every state is reported, as a real device does; the fault drawn for the device decides how it ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from simulators.errors import SettingError
from simulators.fleet_faults import Fault

RETRY_S = 5.0


class RefusalError(Exception):
    """What was asked for may not run on this device."""


class AwayError(Exception):
    """The hub cannot be asked now; later it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds that a device takes, give or take half of it."""

    state_s: float = 1.0
    probation_s: float = 5.0

    def __post_init__(self) -> None:
        if self.state_s < 0 or self.probation_s < 0:
            raise SettingError(
                f"expected --pace and --probation from 0 s, got {self.state_s:g} and {self.probation_s:g}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A state to report, with the event that led there; without a state there is only time to pass."""

    state: str = ""
    event: str = ""
    reason: str = ""
    pause_s: float = 0.0


def life(
    *, present: bool, fault: Fault, pace: Pace, slow_s: float, fetch: Callable[[], None], chance: Random
) -> Iterator[Step]:
    """The steps of one directive; ``present``: what it asks for runs already.

    ``fetch`` gets and checks the bundle; it raises ``RefusalError`` or ``AwayError``.
    """

    def about(seconds: float) -> float:
        return seconds * chance.uniform(0.5, 1.5)

    yield Step(state="accepted", event="offered", pause_s=about(pace.state_s))
    if fault is Fault.SILENT:
        return
    if present:
        yield Step(state="committed", event="present", reason="it runs already")
        return
    yield Step(state="downloading", event="started", pause_s=about(pace.state_s) + slow_s)
    try:
        yield from _fetched(fetch)
    except RefusalError as error:
        yield Step(state="refused", event="refused", reason=str(error))
        return
    yield Step(state="verifying", event="downloaded", pause_s=about(pace.state_s))
    if fault is Fault.REFUSE:
        yield Step(state="refused", event="refused", reason="this simulated device refuses every release")
        return
    yield Step(state="installing", event="verified", pause_s=about(pace.state_s))
    yield Step(state="probation", event="installed", pause_s=about(pace.probation_s))
    if fault is Fault.FAIL:
        yield Step(state="rolling-back", event="unhealthy", reason="it was to fail its probation")
        yield Step(state="rolled-back", event="restored", reason="it was to fail its probation")
        return
    yield Step(state="committed", event="healthy")


def superseded(state: str, newer: int) -> tuple[Step, ...]:
    """How what is in ``state`` ends when directive ``newer`` comes."""
    reason = f"directive {newer} is newer"
    if state != "probation":
        return (Step(state="failed", event="superseded", reason=reason),)
    return (
        Step(state="rolling-back", event="superseded", reason=reason),
        Step(state="rolled-back", event="restored", reason=reason),
    )


def _fetched(fetch: Callable[[], None]) -> Iterator[Step]:
    while True:
        try:
            fetch()
        except AwayError:
            yield Step(pause_s=RETRY_S)
        else:
            return
