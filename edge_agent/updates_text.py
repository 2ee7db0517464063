"""The updates of a device as lines of text: where each stands, and how it got there."""

from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def standing_lines(updates: Row) -> Iterator[str]:
    """A line a use case, below it what its next step waits for and what failed before."""
    for row in updates["use_cases"]:
        yield _standing(row)
        yield from (f"  {line}" for line in _failures(row))
    if updates["turned_away"]:
        yield f"turned away: {updates['turned_away']}"
    if updates["reports_waiting"]:
        yield f"{updates['reports_waiting']} reports wait to be stored for the hub"


def history_lines(updates: Row) -> Iterator[str]:
    """The last steps of each use case, oldest first, under where it stands."""
    for row in updates["use_cases"]:
        yield _standing(row)
        for step in row["steps"]:
            because = f": {step['reason']}" if step["reason"] else ""
            yield (
                f"  {step['time']}  directive {step['directive_sequence']} to {step['release']}  "
                f"{step['state']} ({step['event']}){because}"
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
    reason = f": {row['reason']}" if row["reason"] else ""
    return (
        f"{row['use_case']} runs {row['running'] or 'nothing'}; {row['state']}{since}{until}{asked}{reason}"
    )


def _failures(row: Row) -> Iterator[str]:
    for sequence, failure in sorted(row["failures"].items(), key=lambda item: int(item[0])):
        yield f"failed: directive {sequence} to {failure['release'] or 'a release'}: {failure['reason']}"
