"""The updates of a device as lines of text: where each stands, and how it got there."""

from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def standing_lines(updates: Row) -> Iterator[str]:
    """A line a use case, below it what failed before; then engines, what was not let in, and what waits."""
    for row in updates["use_cases"]:
        yield _standing(row)
        yield from (f"  {line}" for line in _failures(row))
    for row in updates.get("shared_engines", ()):
        yield f"shared engine of {row['release']}{_because(row['said'])}"
    if updates["turned_away"]:
        yield f"turned away{_because(updates['turned_away'])}"
    if updates["reports_waiting"]:
        yield f"{updates['reports_waiting']} reports wait to be stored for the hub"


def history_lines(updates: Row) -> Iterator[str]:
    """The last steps of each use case, oldest first, under where it stands."""
    for row in updates["use_cases"]:
        yield _standing(row)
        for step in row["steps"]:
            yield (
                f"  {step['time']}  directive {step['directive_sequence']} to {step['release']}  "
                f"{step['state']} ({step['event']}){_because(step['reason'])}"
            )
        yield from (f"  {line}" for line in _failures(row))


def device_lines(deferrals: Row) -> Iterator[str]:
    """When this device may be changed, where that is not at any time."""
    if deferrals["windows"]:
        opens = f"open again at {deferrals['opens']}" if deferrals["opens"] else "open now"
        yield f"windows   {', '.join(deferrals['windows'])} ({deferrals['zone']}), {opens}"
    if deferrals["critical"]:
        yield f"critical  {deferrals['critical']}"


def _standing(row: Row) -> str:
    directive = row["directive"]
    asked = f", directive {directive['sequence']} to {directive['release']}" if directive else ""
    since = f" since {row['since']}" if row["since"] else ""
    until = f" until {row['until']}" if row["until"] else ""
    stands = f"{row['use_case']} runs {row['running'] or 'nothing'}; {row['state']}"
    return f"{stands}{since}{until}{asked}{_because(row['reason'])}"


def _failures(row: Row) -> Iterator[str]:
    for sequence, failure in sorted(row["failures"].items(), key=lambda item: int(item[0])):
        release = failure["release"] or "a release"
        yield f"failed: directive {sequence} to {release}{_because(failure['reason'])}"


def _because(reason: str) -> str:
    """``reason`` to end a line with, without what a terminal would obey: some came from the network."""
    shown = "".join(char if char.isprintable() else "?" for char in reason)
    return f": {shown}" if shown else ""
