"""The status of an agent as lines of text: what the file says is printed, whichever version wrote it.

An agent that was updated, or has not been yet, leaves a status with fewer facts or others: the lines that
rest on them are left out, and no other.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from edge_agent import updates_text
from edge_agent.runners import chain_text

Row = Mapping[str, Any]


def lines(found: Row) -> list[str]:
    """Every line that ``found``, a status as :func:`edge_agent.status.read` returns it, has the facts for."""
    shown: list[str] = []
    for part in PARTS:
        with suppress(KeyError, TypeError, AttributeError):
            shown += list(part(found))
    return shown


def _head(found: Row) -> Iterator[str]:
    state = found.get("state", "running") if found["alive"] else "not running"
    yield f"{found.get('device', 'a device')} ({found.get('site', 'of no known site')}): {state}"


def _feed(found: Row) -> Iterator[str]:
    yield f"feed      {_connected(found['feed'])}"


def _hub(found: Row) -> Iterator[str]:
    yield f"hub       {_connected(found['uplink'])}"


def _outbox(found: Row) -> Iterator[str]:
    outbox = found["outbox"]
    yield f"outbox    {outbox['batches']} batches, {outbox['bytes']} of {outbox['max_bytes']} bytes"


def _samples(found: Row) -> Iterator[str]:
    yield f"samples   {found['counters']['samples']}, left out {found['counters']['left_out']}"


def _releases(found: Row) -> Iterator[str]:
    yield f"releases  {', '.join(found['releases'].values()) or 'none'}"


def _inference(found: Row) -> Iterator[str]:
    for use_case, described in found["inference"].items():
        yield f"runs in   {use_case}: {chain_text.answering(described)}"
        yield from (f"          {line}" for line in chain_text.passed_over(described))


def _updates(found: Row) -> Iterator[str]:
    yield from (f"update    {line}" for line in updates_text.standing_lines(found["updates"]))


def _windows(found: Row) -> Iterator[str]:
    yield from updates_text.device_lines(found["updates"]["deferrals"])


def _identity(found: Row) -> Iterator[str]:
    certificate = found["certificate"]
    ends, trouble = certificate["ends"], certificate.get("trouble", "")
    until = f"certificate ends {ends[:16].replace('T', ' ')} UTC" if ends else "no certificate"
    yield f"identity  {until}, not renewed: {trouble}" if trouble else f"identity  {until}"


def _trouble(found: Row) -> Iterator[str]:
    if found["last_error"]:
        yield f"trouble   {found['last_error']}"


def _connected(part: Row) -> str:
    return "connected" if part["connected"] else str(part["reason"])


PARTS: tuple[Callable[[Row], Iterator[str]], ...] = (
    _head,
    _feed,
    _hub,
    _outbox,
    _samples,
    _releases,
    _inference,
    _updates,
    _windows,
    _identity,
    _trouble,
)
