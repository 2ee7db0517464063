"""Rows come out of PostgreSQL's binary stream as they were stored, however it is cut into pieces."""

import struct

import numpy as np
import pytest

from cloud_hub.dataset import copied
from cloud_hub.errors import DatasetError

ROWS, WIDTH = 5, 3
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


def stream(width: int = WIDTH) -> bytes:
    """Written by the manual's words, number by number."""
    body = b""
    for row in range(ROWS):
        body += number(6, 2)
        for value, size in ((7, 4), (1000 * row, 8), (1, 4), (-5, 8), (row, 8)):
            body += number(size, 4) + number(value, size)
        body += number(20 + 8 * width, 4) + b"".join(number(value, 4) for value in (1, 0, 700, width, 1))
        for place in range(width):
            body += number(4, 4) + struct.pack(">f", row + place / 8)
    return HEADER + body + copied.TRAILER


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big", signed=True)


@pytest.mark.parametrize("piece", [1, 7, 19, 64, 10_000])
def test_rows_are_read_whatever_the_pieces_are(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copied, "BLOCK", 200)
    whole = stream()
    pieces = [whole[at : at + piece] for at in range(0, len(whole), piece)]
    rows = copied.parse(pieces, width=WIDTH, rows=ROWS)
    assert rows.times.tolist() == [946_684_800_000_000 + 1000 * row for row in range(ROWS)]
    assert rows.machine.tolist() == [7] * ROWS
    assert rows.epoch.tolist() == [-5] * ROWS
    assert rows.sequence.tolist() == list(range(ROWS))
    np.testing.assert_array_equal(rows.features, np.arange(ROWS)[:, None] + np.arange(WIDTH) / 8)


def test_a_stream_of_no_rows_is_one() -> None:
    assert len(copied.parse([HEADER + copied.TRAILER], width=WIDTH, rows=0)) == 0


@pytest.mark.parametrize("spoilt", [stream()[:-1], stream()[:-40], stream(2), b""])
def test_rows_of_another_length_are_refused(spoilt: bytes) -> None:
    with pytest.raises(DatasetError, match="expected"):
        copied.parse([spoilt], width=WIDTH, rows=2 * ROWS)
