"""Every row belongs to one life, and knows only of that life's own end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.dataset.lives import AFTER_FAILURE, AFTER_REPAIR, FIRST_SEEN, Before, End, cut
from models.declared.machines import Life

HOURS = Life(measured_in="time", unit="h", cap=100.0)
CYCLES = Life(measured_in="readings", unit="{cycle}", cap=100.0)
HOUR_US = 3_600_000_000


def hours(*values: float) -> np.ndarray:
    return np.array([round(value * HOUR_US) for value in values], np.int64)


def test_remaining_life_in_time_counts_down_to_the_failure() -> None:
    lives = cut(hours(0, 1, 3), [End(time_us=5 * HOUR_US, failed=True)], HOURS)
    assert lives.remaining.tolist() == [5, 4, 2]
    assert lives.age.tolist() == [0, 1, 3]


def test_remaining_life_in_readings_is_zero_at_the_last_one() -> None:
    lives = cut(hours(0, 1, 3), [End(time_us=3 * HOUR_US, failed=True)], CYCLES)
    assert lives.remaining.tolist() == [2, 1, 0]


def test_life_that_has_not_ended_is_censored() -> None:
    lives = cut(hours(0, 1, 6, 7), [End(time_us=5 * HOUR_US, failed=True)], HOURS)
    assert lives.number.tolist() == [1, 1, 2, 2]
    assert np.isnan(lives.remaining[2:]).all()
    assert lives.age.tolist() == [0, 1, 0, 1]


def test_life_that_a_repair_ended_first_is_censored() -> None:
    ends = [End(time_us=2 * HOUR_US, failed=False), End(time_us=5 * HOUR_US, failed=True)]
    lives = cut(hours(0, 1, 3, 4), ends, HOURS)
    assert np.isnan(lives.remaining[:2]).all()
    assert lives.remaining[2:].tolist() == [2, 1]


def test_failure_and_its_repair_at_the_same_moment_are_a_failure() -> None:
    ends = [End(time_us=2 * HOUR_US, failed=False), End(time_us=2 * HOUR_US, failed=True)]
    assert cut(hours(0, 1), ends, HOURS).remaining.tolist() == [2, 1]


def test_row_at_the_moment_of_failure_belongs_to_the_life_that_failed() -> None:
    lives = cut(hours(0, 5), [End(time_us=5 * HOUR_US, failed=True)], HOURS)
    assert lives.remaining.tolist() == [5, 0]


moments = st.lists(st.integers(0, 500), min_size=1, max_size=40, unique=True)
endings = st.lists(st.tuples(st.integers(0, 500), st.booleans()), max_size=8)


@given(moments, endings)
def test_remaining_life_is_never_negative_and_falls_within_a_life(when: list[int], ends: list) -> None:
    times = np.array(sorted(when), np.int64)
    for life in (HOURS, CYCLES):
        lives = cut(times, [End(time_us=t, failed=failed) for t, failed in ends], life)
        known = ~np.isnan(lives.remaining)
        assert (lives.remaining[known] >= 0).all()
        assert (lives.age >= 0).all()
        for number in np.unique(lives.number):
            assert (np.diff(lives.remaining[(lives.number == number) & known]) <= 0).all()


@given(moments, endings, st.integers(0, 500))
def test_what_comes_later_than_the_end_of_a_life_does_not_change_it(
    when: list[int], ends: list, later: int
) -> None:
    times = np.array(sorted(when), np.int64)
    before = [End(time_us=t, failed=failed) for t, failed in ends if t < later]
    early = times < later
    all_ends = [*before, *(End(time_us=t, failed=failed) for t, failed in ends if t >= later)]
    whole = cut(times, all_ends, HOURS)
    part = cut(times[early], before, HOURS)
    known = ~np.isnan(part.remaining)
    np.testing.assert_array_equal(whole.remaining[early][known], part.remaining[known])


@pytest.mark.parametrize("life", [HOURS, CYCLES])
def test_no_rows_give_no_lives(life: Life) -> None:
    ends = [End(time_us=t, failed=True) for t in (1, 2)]
    assert len(cut(hours(), ends, life, Before(rows=1, began_us=0, since_us=0)).number) == 0


def test_a_life_says_how_it_began_and_whether_the_machine_lay_broken() -> None:
    ends = [End(time_us=t * HOUR_US, failed=failed) for t, failed in ((1, True), (3, False), (5, True))]
    lives = cut(hours(0, 1, 2, 3, 4, 5, 6), ends, HOURS)
    assert lives.begun.tolist() == [
        FIRST_SEEN, FIRST_SEEN, AFTER_FAILURE, AFTER_FAILURE, AFTER_REPAIR, AFTER_REPAIR, AFTER_FAILURE,
    ]  # fmt: skip
    assert lives.broken.tolist() == [False, False, True, True, False, False, False]


@pytest.mark.parametrize("life", [HOURS, CYCLES])
def test_a_life_that_went_on_where_the_span_begins_keeps_its_age(life: Life) -> None:
    ends = [End(time_us=t * HOUR_US, failed=True) for t in (2, 7)]
    whole = cut(hours(*range(9)), ends, life)
    before = Before(rows=2, began_us=3 * HOUR_US, since_us=5 * HOUR_US)
    part = cut(hours(*range(5, 9)), ends, life, before)
    assert part.age.tolist() == whole.age[5:].tolist() == [2, 3, 4, 0]
    assert part.row.tolist() == whole.row[5:].tolist() == [2, 3, 4, 0]


def test_a_life_that_ended_before_the_first_row_of_the_span_makes_no_other_older() -> None:
    before = Before(rows=2, began_us=0, since_us=5 * HOUR_US)
    assert cut(hours(7, 8), [End(time_us=6 * HOUR_US, failed=True)], HOURS, before).age.tolist() == [0, 1]
