"""A stream is cut into the same windows however it arrives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.errors import KernelInputError
from kernels.windows import Rest, cut


def naive(stream: np.ndarray, length: int, hop: int) -> np.ndarray:
    starts = range(0, len(stream) - length + 1, hop)
    return np.array([stream[start : start + length] for start in starts], np.float32).reshape(-1, length)


@given(
    pieces=st.lists(st.integers(0, 12), max_size=20),
    length=st.integers(1, 9),
    hop=st.integers(1, 15),
)
def test_windows_do_not_depend_on_how_the_stream_comes_in_pieces(
    pieces: list[int], length: int, hop: int
) -> None:
    stream = np.arange(sum(pieces), dtype=np.float32)
    rest, found = Rest(), []
    for piece in np.split(stream, np.cumsum(pieces)[:-1]) if pieces else []:
        windows, rest = cut(rest, piece, length=length, hop=hop)
        found.append(windows)
    got = np.concatenate(found) if found else np.empty((0, length))
    np.testing.assert_array_equal(got, naive(stream, length, hop))


def test_after_a_gap_no_window_spans_it() -> None:
    _, rest = cut(Rest(), [1, 2, 3], length=4, hop=4)
    assert rest.samples.tolist() == [1, 2, 3]
    windows, _ = cut(Rest(), [9, 9, 9, 9], length=4, hop=4)
    assert windows.tolist() == [[9, 9, 9, 9]]


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (4, 0)])
def test_a_window_without_length_or_hop_is_refused(length: int, hop: int) -> None:
    with pytest.raises(KernelInputError, match="at least 1"):
        cut(Rest(), [1.0], length=length, hop=hop)
