"""How long an agent waits before it connects again."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.waits import LONGEST_TAKEN_S, UNDISTURBED_S, Backoff, Reconnect

USUAL = Backoff(first_s=0.5, longest_s=15.0)


def reconnect(seed: int = 1) -> Reconnect:
    return Reconnect(USUAL, Random(seed))


def test_a_broker_that_stays_away_is_asked_ever_more_seldom() -> None:
    away = reconnect()
    waits = [away.after(0.0, taken_over=False) for _ in range(12)]
    assert waits[0] < 1.0
    assert all(15.0 <= wait <= 22.5 for wait in waits[-5:])


def test_a_connection_that_lasted_is_followed_at_once() -> None:
    good = reconnect()
    for _ in range(9):
        good.after(0.0, taken_over=False)
    assert good.after(60.0, taken_over=False) < 1.0


def test_a_broker_that_restarts_now_and_then_is_met_again_soon() -> None:
    restarted = reconnect()
    assert max(restarted.after(12.0, taken_over=False) for _ in range(50)) < 1.0


def test_connections_that_end_at_once_are_no_good_ones() -> None:
    """A broker that lets a device in and throws it out would else be asked twice a second for ever."""
    thrown = reconnect()
    assert [thrown.after(0.1, taken_over=False) for _ in range(9)][-1] >= 15.0


@pytest.mark.parametrize(("told", "most"), [(True, 30), (False, 300)])
def test_two_devices_with_one_name_make_no_storm_whether_the_broker_tells_them_or_not(
    told: bool, most: int
) -> None:
    """For an hour, each comes back as soon as its waits allow and ends the other's connection."""
    twins = [reconnect(1), reconnect(2)]
    back, since, owner, takeovers = [0.0, 0.1], [0.0, 0.0], -1, 0
    while min(back) < 3600.0:
        comer = back.index(min(back))
        now, since[comer], back[comer] = back[comer], back[comer], float("inf")
        if owner == 1 - comer:
            takeovers += 1
            back[owner] = now + twins[owner].after(now - since[owner], taken_over=told)
        owner = comer
    assert 5 < takeovers <= most


def test_after_a_long_while_undisturbed_a_takeover_is_a_first_one_again() -> None:
    device = reconnect()
    for _ in range(8):
        device.after(1.0, taken_over=True)
    assert device.after(UNDISTURBED_S, taken_over=False) < 1.0
    assert device.after(1.0, taken_over=True) <= 22.5


@given(st.lists(st.tuples(st.floats(0, 2000), st.booleans()), max_size=60), st.integers(0, 99))
def test_no_wait_is_nothing_and_none_is_endless(lives: list[tuple[float, bool]], seed: int) -> None:
    device = reconnect(seed)
    for lived, taken_over in lives:
        assert 0.5 <= device.after(lived, taken_over=taken_over) <= 1.5 * LONGEST_TAKEN_S
