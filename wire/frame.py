"""One zstd frame around a message: sizes are checked before memory is taken, what is wrong has a name."""

import threading
from dataclasses import dataclass

import zstandard

from wire.errors import (
    DamagedError,
    FalseSizeError,
    MessageError,
    NotABatchError,
    TooLargeError,
    TooManyPartsError,
    TrailingDataError,
    TruncatedError,
)

ZSTD_LEVEL = 1
MAGIC = b"\x28\xb5\x2f\xfd"  # of a zstd frame
EMPTY_BYTES = 25  # the longest frame with nothing in it: 18 of header, 3 of block, 4 of checksum

# What the zstd library calls the ways in which one frame can be wrong.
_NAMES: tuple[tuple[str, type[MessageError]], ...] = (
    ("did not decompress full frame", TruncatedError),
    ("buffer is too small", FalseSizeError),
    ("unused data", TrailingDataError),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most one batch may claim, checked before anything is unpacked.

    ``parts`` are series, rows, events and captures: empty ones cost next to nothing on the wire and much in
    memory.
    """

    payload_bytes: int = 4 << 20
    plain_bytes: int = 32 << 20
    values: int = 2_000_000
    parts: int = 50_000
    evidence_bytes: int = 1 << 20  # of all reports together


class _Contexts(threading.local):
    """zstd's working memory, kept by each thread: a fresh one costs as much as packing a batch."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def pack(plain: bytes) -> bytes:
    """``plain`` as one frame that states its size."""
    return _contexts.compressor.compress(plain)


def unpack(frame: bytes | memoryview, limits: Limits) -> bytes:
    """What ``frame`` holds, or a ``MessageError``; never more than it states and ``limits`` allow."""
    try:
        size = zstandard.frame_content_size(frame)
    except zstandard.ZstdError as error:
        raise NotABatchError(f"not a zstd frame: {error}") from error
    if size < 0 or frame[:4] != MAGIC:
        raise NotABatchError("expected a zstd frame that states its size")
    if size > limits.plain_bytes:
        raise TooLargeError(f"expected at most {limits.plain_bytes} bytes unpacked, got {size}")
    try:
        if not size:
            return _nothing(frame)
        return _contexts.decompressor.decompress(
            frame, max_output_size=limits.plain_bytes, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        said = str(error)
        kind = next((kind for words, kind in _NAMES if words in said), DamagedError)
        raise kind(f"zstd frame of {size} bytes: {said}") from error


def _nothing(frame: bytes | memoryview) -> bytes:
    """What a frame holds that states to be empty: the library takes its word and does not look."""
    reader = _contexts.decompressor.decompressobj()
    if reader.decompress(frame[:EMPTY_BYTES]):
        raise FalseSizeError("expected an empty zstd frame, got one with something in it")
    if not reader.eof:
        raise TruncatedError("zstd frame of 0 bytes is cut short")
    if reader.unused_data or len(frame) > EMPTY_BYTES:
        raise TrailingDataError("expected one zstd frame, got more behind an empty one")
    return b""


def check_parts(plain: bytes, limits: Limits) -> None:
    """``TooManyPartsError`` where the message in ``plain`` has more fields than ``limits.parts``.

    Looked at before it is parsed, for an empty part takes two bytes here and a hundred once parsed.
    What is no message at all is left for the parser to name.
    """
    if len(plain) <= 2 * limits.parts:
        return
    place = parts = 0
    while place < len(plain):
        key, place = _varint(plain, place)
        kind = key & 7
        if kind == 0:
            _, place = _varint(plain, place)
        elif kind == 2:
            length, place = _varint(plain, place)
            place += length
        else:
            place += _FIXED.get(kind, 0)
        parts += 1
        if parts > limits.parts:
            raise TooManyPartsError(f"expected at most {limits.parts} series, rows and events, got more")


_FIXED = {1: 8, 5: 4}


def _varint(plain: bytes, place: int) -> tuple[int, int]:
    """The number at ``place`` and the place behind it; cut off at the end of ``plain``."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(plain):
            break
        byte = plain[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return number, place
