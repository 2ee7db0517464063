"""What runs a release's network, in words for people: what answers, and why nothing better does."""

from collections.abc import Iterator, Mapping
from typing import Any


def answering(described: Mapping[str, Any]) -> str:
    """Of a chain as it describes itself: ``tensorrt fp16, 0.08 ms a row``."""
    answers = described["answers"]
    for way in described["ways"]:
        if f"{way['runner']} {way['precision']}" == answers and way["row_ms"] is not None:
            return f"{answers}, {way['row_ms']:g} ms a row"
    return str(answers)


def passed_over(described: Mapping[str, Any]) -> Iterator[str]:
    """A line a way that is better and does not answer: ``not tensorrt fp16: its reason``."""
    for way in described["ways"]:
        title = f"{way['runner']} {way['precision']}"
        if title == described["answers"]:
            return
        yield f"not {title}: {way['reason'] or way['standing']}"
