"""The bandwidth budget, and what is given to a link ahead of its answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.pace import LEAST_AHEAD, MOST_AHEAD, Budget, Pipe

RATE = 1000

sendings = st.lists(
    st.tuples(st.booleans(), st.integers(1, 5000), st.floats(0, 3, allow_subnormal=False)), max_size=60
)


@given(sendings)
def test_in_no_span_of_time_does_more_go_out_than_the_budget_and_its_two_buckets(
    wishes: list[tuple[bool, int, float]],
) -> None:
    """Each goes as early as it may: the budget's bytes, a second of them for each bucket, and one batch each."""
    budget, now, went = Budget(RATE), 0.0, []
    for alarm, size, later in wishes:
        now += later
        now += budget.wait(now, alarm=alarm)
        budget.spend(size, now, alarm=alarm)
        went.append((now, size))
    for start in range(len(went)):
        for end in range(start, len(went)):
            span = went[end][0] - went[start][0]
            sent = sum(size for _, size in went[start : end + 1])
            assert sent <= RATE * span + 2 * RATE + 2 * 5000 + 1


@given(sendings, st.integers(1, 5000))
def test_an_alarm_waits_for_the_bytes_of_alarms_and_for_no_others(
    wishes: list[tuple[bool, int, float]], size: int
) -> None:
    mixed, alone, now = Budget(RATE), Budget(RATE), 0.0
    for alarm, bytes_, later in wishes:
        now += later
        mixed.spend(bytes_, now, alarm=alarm)
        if alarm:
            alone.spend(bytes_, now, alarm=True)
    assert mixed.wait(now, alarm=True) == pytest.approx(alone.wait(now, alarm=True), abs=1e-6)


def test_a_batch_larger_than_the_bucket_goes_and_is_paid_for_afterwards() -> None:
    budget = Budget(RATE)
    assert budget.wait(0.0, alarm=False) == 0.0
    budget.spend(10_000, 0.0, alarm=False)
    assert budget.wait(0.0, alarm=False) == pytest.approx(9.0)
    assert budget.wait(0.0, alarm=True) == 0.0
    assert budget.wait(9.0, alarm=False) == pytest.approx(0.0)


def test_without_a_budget_nothing_waits_and_bytes_are_counted() -> None:
    budget = Budget(0)
    for _ in range(9):
        budget.spend(1 << 30, 0.0, alarm=False)
        assert budget.wait(0.0, alarm=False) == 0.0
    assert budget.spent == 9 << 30


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    budget = Budget(RATE)
    budget.spend(3 * RATE, 100.0, alarm=False)
    assert budget.wait(50.0, alarm=False) == pytest.approx(2.0)


def test_a_slow_link_is_given_ever_less_ahead_and_a_quick_one_more() -> None:
    slow, quick = Pipe(), Pipe()
    for _ in range(20):
        slow.given(1000)
        slow.taken(1000, 5.0)
        quick.given(1000)
        quick.taken(1000, 0.01)
    slow.given(LEAST_AHEAD)
    quick.given(MOST_AHEAD - 1)
    assert slow.full
    assert not quick.full
    quick.given(1)
    assert quick.full
