"""Figures in verdicts and lists, as a person would write them: who answers for a model reads them."""

LONG, LONGEST = 9999.5, 1e15  # between them a figure is written out, though fewer digits count
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def figure(value: float) -> str:
    """Four digits that count: ``0.1234``, ``12.34``, ``1234``, ``12,345``."""
    return f"{value:,.0f}" if LONG <= abs(value) < LONGEST else f"{value:.4g}"


def size(count: float) -> str:
    """``count`` bytes in decimal units: ``742.5 kB``."""
    place = 0
    while count >= 999.95 and place < len(UNITS) - 1:
        count, place = count / 1000, place + 1
    return f"{count:.4g} {UNITS[place]}"


def share(value: float) -> str:
    """``31.25 %``."""
    return f"{figure(100 * value)} %"
