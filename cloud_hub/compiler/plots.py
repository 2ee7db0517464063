"""Small charts as inline SVG: for a page that needs no other file and reads the same in ten years. Pure.

Colours come from the page (``currentColor`` and three CSS variables), so that one
drawing serves light and dark; numbers are rounded, so that equal data gives equal text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 40
TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """``low`` and ``high`` are what the axis reaches from and to."""

    label: str
    low: float
    high: float

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One place along x: a point ``at``, and a bar from ``low`` to ``high`` through it."""

    x: float
    at: float
    low: float
    high: float
    told: str  # shown when pointed at, read aloud


def ranges(title: str, x: Axis, y: Axis, marks: Sequence[Mark], *, level: float | None = None) -> str:
    """Points with their ranges; ``level`` is a line across at what would be right."""
    drawn = [_level(y, level)] if level is not None else []
    for mark in marks:
        place = _x(x, mark.x)
        drawn += [
            f"<g><title>{escape(mark.told)}</title>"
            f'<line class="range" x1="{place}" x2="{place}" y1="{_y(y, mark.low)}" y2="{_y(y, mark.high)}"/>'
            f'<circle cx="{place}" cy="{_y(y, mark.at)}" r="4"/></g>'
        ]
    return _frame(title, x, y, drawn)


def curve(title: str, x: Axis, y: Axis, points: Sequence[tuple[float, float]], *, ideal: bool = False) -> str:
    """A line through ``points``; ``ideal`` draws the diagonal beside it."""
    drawn = [
        f'<path class="level" d="M{_x(x, x.low)} {_y(y, y.low)}L{_x(x, x.high)} {_y(y, y.high)}"/>'
    ] * ideal
    steps = "L".join(f"{_x(x, across)} {_y(y, up)}" for across, up in points)
    return _frame(title, x, y, [*drawn, f'<path class="line" d="M{steps}"/>' if points else ""])


def _frame(title: str, x: Axis, y: Axis, drawn: Sequence[str]) -> str:
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{''.join(_ticks(x, y))}{''.join(drawn)}"
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x.label)}</text>"
        f'<text transform="translate(12 {(TOP + HEIGHT - BOTTOM) / 2:g}) rotate(-90)" text-anchor="middle">'
        f"{escape(y.label)}</text></svg>"
    )


def _ticks(x: Axis, y: Axis) -> list[str]:
    steps = [number / (TICKS - 1) for number in range(TICKS)]
    across = [x.low + step * (x.high - x.low) for step in steps]
    up = [y.low + step * (y.high - y.low) for step in steps]
    return [
        *(
            f'<text x="{_x(x, value)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:.3g}</text>'
            for value in across
        ),
        *(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(y, value)}" y2="{_y(y, value)}"/>'
            f'<text x="{LEFT - 6}" y="{_y(y, value) + 4:g}" text-anchor="end">{value:.3g}</text>'
            for value in up
        ),
    ]


def _level(y: Axis, value: float) -> str:
    place = _y(y, value)
    return f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place}" y2="{place}"/>'


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + min(max(axis.share(value), 0.0), 1.0) * (WIDTH - LEFT - RIGHT), 1)


def _y(axis: Axis, value: float) -> float:
    return round(HEIGHT - BOTTOM - min(max(axis.share(value), 0.0), 1.0) * (HEIGHT - TOP - BOTTOM), 1)
