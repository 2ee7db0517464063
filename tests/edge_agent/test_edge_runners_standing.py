"""What may follow what for a way to run a network, and when one is too slow: pure."""

import pytest

from edge_agent.runners.standing import TRANSITIONS, Bounds, Event, Standing, Taken, enough, slow

BOUNDS = Bounds(max_ms=100.0, times=10.0)


def test_every_standing_but_the_last_has_an_answer_to_whatever_goes_wrong():
    assert set(TRANSITIONS) == set(Standing)
    for standing in set(Standing) - {Standing.ABSENT}:
        for event in (Event.FAILED, Event.MISSING):
            assert TRANSITIONS[standing][event] in (Standing.LEFT, Standing.ABSENT)
    assert not TRANSITIONS[Standing.ABSENT]


def test_only_what_has_proved_itself_stands():
    ways_in = {
        (standing, event)
        for standing, row in TRANSITIONS.items()
        for event, after in row.items()
        if after is Standing.STANDS
    }
    assert ways_in == {(Standing.UNTRIED, Event.PROVED), (Standing.LEFT, Event.PROVED)}


@pytest.mark.parametrize(
    ("taken_ms", "next_ms", "expected"),
    [
        (0.3, 0.02, ""),  # fifteen times the next one, and nobody notices
        (4.9, 0.02, ""),
        (5.1, 0.02, "expected answers within 10 times the 0.02 ms of cpu (median), got 5.1 ms"),
        (30.0, 4.0, ""),
        (41.0, 4.0, "expected answers within 10 times the 4 ms of cpu (median), got 41 ms"),
        (101.0, 50.0, "expected answers within 100 ms (p99), got 101 ms"),
        (101.0, 102.0, ""),  # the next one is no faster
    ],
)
def test_a_way_is_too_slow_beside_a_faster_one_alone(taken_ms, next_ms, expected):
    assert slow(Taken.of([taken_ms / 1000]), "cpu", next_ms / 1000, BOUNDS) == expected


def test_the_slowest_answers_of_a_busy_host_are_compared_with_nobodys_usual_ones():
    busy = Taken.of([0.0001] * 90 + [0.05] * 10)
    assert slow(busy, "cpu", 0.00002, BOUNDS) == ""
    assert slow(busy, "cpu", 0.00002, Bounds(max_ms=40.0)) == "expected answers within 40 ms (p99), got 50 ms"


def _p99(seconds):
    return Taken.of(seconds).p99_s


def test_one_answer_in_a_hundred_may_take_any_time():
    assert _p99([1.0] * 99 + [50.0]) == 1.0
    assert _p99([1.0] * 98 + [50.0] * 2) == 50.0
    assert _p99([1.0] * 7 + [50.0]) == 1.0, "and one of few"
    assert _p99([1.0] * 6 + [50.0] * 2) == 50.0
    assert _p99([3.0]) == 3.0


@pytest.mark.parametrize(
    ("answers", "passed_s", "judged"),
    [(256, 0.1, True), (255, 0.1, False), (8, 599, False), (8, 600, True), (7, 1e6, False)],
)
def test_answers_are_judged_by_count_or_by_time(answers, passed_s, judged):
    assert enough(answers, passed_s, Bounds()) is judged


def test_waits_double_up_to_the_longest():
    bounds = Bounds(first_wait_s=30.0, longest_wait_s=3600.0)
    assert [bounds.wait_s(failures) for failures in (1, 2, 3, 7, 8, 1000)] == [30, 60, 120, 1920, 3600, 3600]
