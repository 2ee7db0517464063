from random import Random

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.flight import Backoff, Flight
from edge_agent.outbox import Key

RESEND = Backoff(first_s=1.0, longest_s=8.0)


def flight(window: int = 8) -> Flight:
    return Flight(window=window, backoff=RESEND, random=Random(1))


def sent(*sequences: int, window: int = 8) -> Flight:
    made = flight(window)
    for sequence in sequences:
        made.sent(Key(1, sequence), now=0.0, alarm=False)
        made.received(Key(1, sequence))
    return made


def test_a_full_window_lets_nothing_out_but_an_alarm() -> None:
    full = sent(*range(1, 7))  # 8 places, 2 kept for alarms
    assert (full.room(alarms=False), full.room(alarms=True)) == (0, 2)


def test_a_window_of_one_is_for_whoever_comes_first() -> None:
    assert flight(1).room(alarms=False) == flight(1).room(alarms=True) == 1


def test_only_the_oldest_is_sent_again() -> None:
    waiting = sent(3, 4, 5)
    assert waiting.due(now=100.0) == Key(1, 3)
    waiting.sent_again(Key(1, 3), now=100.0)
    assert waiting.due(now=100.0) is None, "the next ones wait for the oldest's mark"
    waiting.settled(1, 3)
    assert waiting.due(now=100.0) == Key(1, 4)


def test_batches_of_an_older_epoch_are_the_oldest() -> None:
    waiting = sent(1)
    waiting.sent(Key(0, 900), now=0.0, alarm=False)
    waiting.received(Key(0, 900))
    assert waiting.due(now=100.0) == Key(0, 900)


def test_waits_grow_and_are_bounded() -> None:
    waiting = sent(1)
    waits, now = [], 0.0
    for _ in range(8):
        due = waiting.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
        waiting.sent_again(Key(1, 1), now)
        waiting.received(Key(1, 1))
    assert 1.0 <= waits[0] <= 1.5
    assert waits[2] > waits[0]
    assert max(waits) <= 12.0, "longest_s and half of it by chance"


def test_what_the_broker_has_not_taken_is_not_pushed_again_soon() -> None:
    slow = flight()
    slow.sent(Key(1, 1), now=0.0, alarm=False)
    assert slow.due(now=7.9) is None
    assert slow.due(now=8.0) == Key(1, 1)


def test_marks_are_a_union_and_a_lower_one_is_no_error() -> None:
    waiting = sent(1, 2, 3, 4, 5, 6)
    waiting.settled(1, 2, beyond=((5, 6),))
    waiting.settled(1, 1)
    assert waiting.out == 2
    assert waiting.due(now=100.0) == Key(1, 3)


def test_marks_of_another_epoch_settle_nothing_here() -> None:
    waiting = sent(1, 2)
    waiting.settled(2, 99)
    assert waiting.out == 2


def test_a_new_connection_starts_with_nothing_out() -> None:
    waiting = sent(1, 2, 3)
    waiting.restart(window=4)
    assert (waiting.out, waiting.cursor, waiting.due(1e9)) == (0, Key(0, 0), None)


def test_a_batch_that_was_dropped_frees_its_place() -> None:
    waiting = sent(1, 2)
    waiting.gone(Key(1, 1))
    assert waiting.due(now=100.0) == Key(1, 2)


@given(
    st.lists(st.tuples(st.sampled_from(["send", "alarm", "mark", "again"]), st.integers(0, 40)), max_size=80)
)
def test_never_more_than_the_window_is_out(steps: list[tuple[str, int]]) -> None:
    waiting, upcoming, marked = flight(window=5), 1, 0
    for step, number in steps:
        if step in ("send", "alarm") and waiting.room(alarms=step == "alarm"):
            waiting.sent(Key(1, upcoming), now=float(upcoming), alarm=step == "alarm")
            upcoming += 1
        elif step == "mark":
            marked = max(marked, min(number, upcoming - 1))
            waiting.settled(1, marked)
        elif (key := waiting.due(1e6)) is not None:
            assert key.sequence > marked
            waiting.sent_again(key, 1e6)
        assert waiting.out <= 5
        assert waiting.room(alarms=False) <= waiting.room(alarms=True)
