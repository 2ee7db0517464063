"""An epoch is 64 random bits: without a sign on the wire, with one in PostgreSQL's bigint."""

_WRAP = 1 << 64
_HALF = 1 << 63


def to_store(epoch: int) -> int:
    """The same 64 bits as a signed number."""
    return epoch - _WRAP if epoch >= _HALF else epoch


def from_store(epoch: int) -> int:
    """The number as the device and the wire write it."""
    return epoch % _WRAP
