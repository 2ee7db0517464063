"""Whatever was touched or dropped, the pieces of a chart hold its whole span, from rows that are right."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.store.charts_pieces import Kept, Level, Piece, level_of, merged, pieces, without

SECOND, MINUTE, HOUR = 1_000_000, Level.MINUTE.value, Level.HOUR.value
ALL = Kept(sample=0, minute=0)

moments = st.integers(0, 12 * HOUR // SECOND).map(lambda second: second * SECOND)
spans = st.tuples(moments, moments).map(sorted).map(tuple).filter(lambda span: span[0] < span[1])
touched = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 59)).map(
        lambda at: (at[0] * HOUR + at[1] * MINUTE, (at[0] + 1) * HOUR)
    ),
    max_size=4,
)
levels = st.sampled_from(Level)


def covered(found: list[Piece]) -> list[tuple[int, int]]:
    return merged((piece.start, piece.end) for piece in found)


def overlap(piece: Piece, other: tuple[int, int]) -> bool:
    return piece.start < other[1] and piece.end > other[0]


@given(spans, levels, touched)
def test_where_all_is_kept_pieces_are_the_span_and_each_is_right(span, level, stale) -> None:
    found = pieces(span, level, stale, ALL)
    assert sum(piece.end - piece.start for piece in found) == span[1] - span[0]
    assert covered(found) == [span]
    for piece in found:
        assert piece.level.value <= level.value
        if piece.level is not Level.SAMPLE:
            assert piece.start % piece.level.value == piece.end % piece.level.value == 0
            assert not any(overlap(piece, each) for each in stale)


@given(spans, levels, touched, moments, moments)
def test_what_is_not_kept_comes_from_coarser_rows_that_hold_it(span, level, stale, sample, minute) -> None:
    kept = Kept(sample=sample, minute=min(sample, minute) // MINUTE * MINUTE)
    found = pieces(span, level, stale, kept)
    whole = (span[0] // HOUR * HOUR, -(-span[1] // HOUR) * HOUR)
    assert without(span, covered(found)) == []
    assert without(covered(found)[0], [whole]) == []
    for piece in found:
        since = kept.since(piece.level)
        assert since is None or piece.start >= since
        if piece.level is not Level.SAMPLE:
            assert piece.start % piece.level.value == piece.end % piece.level.value == 0
            finer_is_kept = piece.start >= sample
            assert not (finer_is_kept and any(overlap(piece, each) for each in stale))


@given(spans, levels)
def test_pieces_are_few(span, level) -> None:
    assert len(pieces(span, level, [], ALL)) <= 5


def test_rows_are_chosen_by_the_width_of_a_bucket() -> None:
    assert level_of(MINUTE - 1) is Level.SAMPLE
    assert level_of(MINUTE) is level_of(HOUR - 1) is Level.MINUTE
    assert level_of(24 * HOUR) is Level.HOUR


def test_an_hour_that_was_touched_in_its_middle_is_minutes_and_then_samples() -> None:
    found = pieces((0, 3 * HOUR), Level.HOUR, [(HOUR + 30 * MINUTE, 2 * HOUR)], ALL)
    assert found == [
        Piece(level=Level.HOUR, start=0, end=HOUR),
        Piece(level=Level.MINUTE, start=HOUR, end=HOUR + 30 * MINUTE),
        Piece(level=Level.SAMPLE, start=HOUR + 30 * MINUTE, end=2 * HOUR),
        Piece(level=Level.HOUR, start=2 * HOUR, end=3 * HOUR),
    ]
