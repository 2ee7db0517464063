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
    """Better ways that do not answer, a line a reason: ``not tensorrt fp16, tensorrt fp32: the reason``."""
    better: dict[str, list[str]] = {}
    for way in described["ways"]:
        title = f"{way['runner']} {way['precision']}"
        if title == described["answers"]:
            break
        better.setdefault(way["reason"] or way["standing"], []).append(title)
    yield from (f"not {', '.join(titles)}: {reason}" for reason, titles in better.items())
