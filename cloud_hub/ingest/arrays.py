"""Columns for ``unnest`` as PostgreSQL's array literals, made at one go.

The driver writes a list element by element, each through its own adapter; at
hundreds of elements a transaction that costs more than the statement does.
"""

from collections.abc import Iterable


def numbers(values: Iterable[int | float]) -> str:
    """Integers, or finite floats with every digit they have."""
    return "{" + ",".join(map(repr, values)) + "}"


def octets(values: Iterable[bytes]) -> str:
    """Byte strings, for ``bytea[]``."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"
