"""Things about many devices in turns, so that a statement holds no device twice and each keeps its order."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def rounds(items: Iterable[Item], of: Callable[[Item], Hashable]) -> list[list[Item]]:
    """The first item of each, then the second of each, and so on."""
    seen: Counter[Hashable] = Counter()
    found: list[list[Item]] = []
    for item in items:
        turn = seen[of(item)]
        seen[of(item)] += 1
        if turn == len(found):
            found.append([])
        found[turn].append(item)
    return found
