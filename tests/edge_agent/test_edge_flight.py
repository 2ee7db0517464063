"""What goes out next and what goes again: by example, and for whatever a link and a hub may do."""

from random import Random

import pytest
from edge_flights import World
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.columns import WAVEFORM_BYTES
from edge_agent.flight import Flight
from edge_agent.lanes import MOST_OVERTAKING, MOST_RAW, MOST_SPANS, Lane
from edge_agent.outbox import Key
from edge_agent.pace import Budget
from edge_agent.waits import Backoff
from wire.messages import MOST_RANGES

RESEND = Backoff(first_s=1.0, longest_s=8.0)


def flight(window: int = 8) -> Flight:
    made = Flight(window=window, backoff=RESEND, random=Random(1), budget=Budget(0))
    made.restart(window, Key(1, 0))
    return made


def sent(*sequences: int, window: int = 8, lane: Lane = Lane.LIVE) -> Flight:
    made = flight(window)
    for sequence in sequences:
        made.sent(Key(1, sequence), lane, 100, 0.0)
        made.answered(Key(1, sequence), 100, 0.1)
    return made


def lanes(world: World) -> list[Lane]:
    return [lane for _, _, lane in world.sendings]


def test_a_full_window_lets_nothing_out_but_an_alarm() -> None:
    full = World(window=8, held=20)
    assert full.send() == [1, 2, 3, 4, 5, 6], "two places are kept for alarms"
    alarms = [full.write(alarm=True) for _ in range(3)]
    assert full.send() == alarms[:2]


def test_a_window_of_one_is_for_whoever_comes_first_and_then_for_each_in_turn() -> None:
    narrow = World(window=1, held=5)
    for _ in range(10):
        narrow.write()
        narrow.turn()
    assert narrow.settled == set(range(1, 6)) | set(range(6, 11))
    first_four = [sequence for _, sequence, _ in narrow.sendings][:4]
    assert first_four == [6, 1, 7, 2], "what is new and what has waited take turns"


def test_alarms_go_first_the_new_before_the_old() -> None:
    world = World(window=16, held=0)
    old = [world.write(alarm=number % 3 == 0) for number in range(9)]
    world.connect()
    new = world.write(alarm=True)
    assert world.send()[:4] == [new, old[0], old[3], old[6]]


def test_alarms_take_at_most_half_the_window_so_that_the_rest_goes_on() -> None:
    world = World(window=8)
    for number in range(40):
        world.write(alarm=number % 2 == 0)
    world.send()
    assert lanes(world).count(Lane.ALARM) == 4
    assert lanes(world).count(Lane.LIVE) == 2, "two more places wait for alarms"


def test_live_and_backlog_share_the_window_in_halves() -> None:
    world = World(window=32, held=1000)
    for _ in range(100):
        world.write()
    world.send()
    assert (lanes(world).count(Lane.LIVE), lanes(world).count(Lane.BACKLOG)) == (14, 14)


@pytest.mark.parametrize("held", [0, 1000])
def test_where_one_has_nothing_the_other_takes_all(held: int) -> None:
    world = World(window=32, held=held)
    for _ in range(0 if held else 100):
        world.write()
    world.send()
    assert len(world.sendings) == 28


def test_only_the_oldest_of_a_lane_is_sent_again() -> None:
    waiting = sent(3, 4, 5)
    assert waiting.due(5.0) == Key(1, 3)
    waiting.sent_again(Key(1, 3), 5.0)
    waiting.answered(Key(1, 3), 100, 0.1)
    assert waiting.due(5.0) is None, "the next ones wait for the oldest's mark"
    waiting.settled(1, 3, (), 5.5)
    assert waiting.due(5.5) is None, "the hub is at work: a mark has just come"
    assert waiting.due(7.0) == Key(1, 4)


def test_a_lost_live_batch_does_not_wait_for_the_whole_backlog() -> None:
    world = World(window=8, held=10_000)
    lost = world.write()
    world.send()
    world.carry(99, lost=lambda sequence: sequence == lost)
    world.mark()
    for _ in range(60):
        world.turn()
    assert lost in world.settled
    assert len(world.others) > 5_000, "most of the backlog was still there"


def test_what_others_have_passed_is_missing_and_goes_again_at_once_when_its_time_has_come() -> None:
    waiting = sent(1, 2, 3, 4)
    waiting.settled(1, 0, ((4, 4),), 50.0)
    waiting.sent_again(Key(1, 1), 50.0)
    waiting.answered(Key(1, 1), 100, 0.1)
    waiting.settled(1, 1, ((4, 4),), 50.1)
    assert waiting.due(50.1) == Key(1, 2)


def test_a_slow_hub_that_keeps_marking_is_sent_nothing_twice() -> None:
    """Each mark takes as long as the first wait and comes in order: everything is only late."""
    waiting, now = sent(*range(1, 9), window=16), 0.0
    for sequence in range(1, 9):
        now += 0.9
        assert waiting.due(now) is None
        waiting.settled(1, sequence, (), now)
    assert waiting.resent == 0


def test_a_lost_batch_goes_again_although_marks_for_others_keep_coming() -> None:
    waiting = sent(1)
    for step in range(100):
        now = step / 2
        waiting.sent(Key(1, 2 + step), Lane.LIVE, 100, now)
        waiting.answered(Key(1, 2 + step), 100, 0.1)
        waiting.settled(1, 0, ((2, 2 + step),), now + 0.1)
        if waiting.due(now + 0.2) == Key(1, 1):
            break
    assert step < 10


def test_batches_of_an_older_epoch_are_the_oldest() -> None:
    waiting = sent(1)
    waiting.sent(Key(0, 900), Lane.LIVE, 100, 0.0)
    waiting.answered(Key(0, 900), 100, 0.1)
    assert waiting.due(100.0) == Key(0, 900)


def test_waits_grow_and_are_bounded() -> None:
    waiting = sent(1)
    waits, now = [], 0.0
    for _ in range(8):
        due = waiting.next_due(now)
        assert due is not None
        waits.append(due - now)
        now = due
        waiting.sent_again(Key(1, 1), now)
        waiting.answered(Key(1, 1), 100, 0.1)
    assert 1.0 <= waits[0] <= 1.5
    assert waits[2] > waits[0]
    assert max(waits) <= 12.0, "longest_s and half of it by chance"


def test_what_the_broker_has_not_taken_is_not_pushed_again_soon() -> None:
    slow = flight()
    slow.sent(Key(1, 1), Lane.LIVE, 100, 0.0)
    assert slow.due(7.9) is None
    assert slow.due(8.0) == Key(1, 1)


def test_marks_are_a_union_and_a_lower_one_is_no_error() -> None:
    waiting = sent(1, 2, 3, 4, 5, 6)
    waiting.settled(1, 2, ((5, 6),), 0.0)
    waiting.settled(1, 1, (), 0.0)
    assert waiting.out == 2
    assert waiting.due(100.0) == Key(1, 3)


def test_marks_of_another_epoch_settle_nothing_here() -> None:
    waiting = sent(1, 2)
    waiting.settled(2, 99, (), 0.0)
    assert waiting.out == 2


def test_a_new_connection_starts_with_nothing_out_and_all_that_is_held_is_backlog() -> None:
    waiting = sent(1, 2, 3)
    waiting.restart(4, Key(1, 3))
    assert (waiting.out, waiting.due(1e9), waiting.lag(Key(1, 3))) == (0, None, 0)
    assert waiting.next(0.0, Key(1, 3)) in {Lane.OLD_ALARM, Lane.BACKLOG}


def test_a_batch_that_was_dropped_frees_its_place() -> None:
    waiting = sent(1, 2)
    waiting.gone(Key(1, 1))
    assert waiting.due(100.0) == Key(1, 2)


def test_live_batches_that_pile_up_become_backlog_and_the_newest_stay_fresh() -> None:
    """Twice as much is written as the hub takes, beside a backlog, for a minute."""
    world, written = World(window=16, held=900), {}
    for _ in range(600):
        for _ in range(20):
            written[world.write()] = world.now
        world.turn(carries=10)
    ages = {s: at - written[s] for s, at in world.times.items() if s in written}
    assert set(range(1, 901)) <= world.settled, "the backlog had its share all the while"
    assert all(ages[s] < 3.0 + written[s] / 2 for s in ages if written[s] > max(written.values()) - 5)
    assert min(ages[s] for s in ages if written[s] > 40.0) < 0.2, "what was written last goes at once"
    assert world.most_ranges <= MOST_SPANS
    world.finish()


def test_neither_live_nor_backlog_starves_when_the_hub_takes_more_than_is_written() -> None:
    world, written = World(window=16, held=3000), {}
    for _ in range(600):
        for _ in range(3):
            written[world.write()] = world.now
        world.turn(carries=10)
    assert all(world.first[s] - at <= 0.2 for s, at in written.items() if s in world.first)
    assert world.flight.lag(world.newest) <= 3, (
        "what is new goes out in the turn it was written in, or the next"
    )
    assert set(range(1, 3001)) <= world.settled, "and the backlog has all that is left"


def test_old_alarms_do_not_cut_the_backlog_into_more_ranges_than_the_hub_can_tell() -> None:
    """Every tenth batch of a long outage holds an alarm; a range each, had they all gone ahead."""
    world = World(window=32)
    for number in range(3000):
        world.write(alarm=number % 10 == 0)
    world.connect()
    world.send()
    world.finish(turns=400)
    assert MOST_OVERTAKING / 2 < world.most_ranges <= MOST_OVERTAKING + 1


def test_raw_windows_on_a_slow_link_keep_no_prediction_waiting_for_more_than_one_of_their_batches() -> None:
    """Of three axes of four machines, at 8 kB/s: 24 s of the link, in which predictions go on."""
    world, written = World(window=32, size=600, rate=8000), {}
    for turn in range(600):
        if turn % 5 == 0:
            written |= {world.write(): world.now for _ in range(3)}  # predictions, features, samples
        if turn == 100:
            for _ in range(12):
                world.write(raw=WAVEFORM_BYTES)
        world.turn()
    delays = [world.first[sequence] - at for sequence, at in written.items()]
    assert max(delays) < WAVEFORM_BYTES / 8000 + 0.5
    assert world.raws.keys() <= world.settled, "all the same they are there in a minute"


def test_raw_windows_go_before_what_has_waited_and_leave_live_batches_their_half() -> None:
    world = World(window=8, held=900)
    before = len(world.send())
    raw, live = [world.write(raw=100) for _ in range(9)], [world.write() for _ in range(9)]
    for _ in range(8):
        world.turn()
    assert {*raw, *live} <= world.settled
    order = lanes(world)[before:]
    assert order[:6] == [Lane.LIVE] * 3 + [Lane.RAW] * 3
    assert order.count(Lane.RAW) == order[: order.index(Lane.BACKLOG)].count(Lane.RAW) == len(raw)
    world.finish()


def test_raw_windows_written_again_and_again_are_few_ranges() -> None:
    """A hub that marks nothing, and windows with each commit."""
    world = World(window=32, rate=500)
    for _ in range(200):
        world.write()
        world.write(raw=400)
        world.turn(carries=1)
    assert MOST_RAW <= world.most_ranges <= 32
    world.finish()


class Chance:
    """Loses each message with a probability, the same for the same seed."""

    def __init__(self, seed: int, share: float) -> None:
        self._random, self._share = Random(seed), share

    def __call__(self, _sequence: int) -> bool:
        return self._random.random() < self._share


losses = st.builds(Chance, st.integers(0, 99), st.floats(0, 0.6))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 60)),
        st.tuples(st.just("alarm"), st.integers(1, 5)),
        st.tuples(st.just("raw"), st.integers(1, 5)),
        st.tuples(st.just("carry"), st.integers(1, 40)),
        st.tuples(st.just("mark"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 100)),
        st.tuples(st.just("connect"), st.just(0)),
    ),
    max_size=60,
)


def play(world: World, script: list[tuple[str, int]], lost: Chance) -> None:
    for step, number in script:
        match step:
            case "write" | "alarm":
                for _ in range(number):
                    world.write(alarm=step == "alarm")
            case "raw":
                world.write(raw=100 * number)
            case "carry":
                world.carry(number, lost=lost)
            case "mark":
                world.mark()
            case "wait":
                world.now += number / 10
            case "connect":
                world.connect()
        world.send()


@settings(deadline=None)
@given(
    st.sampled_from([1, 2, 3, 8, 32, 200]),
    st.integers(0, 300),
    steps,
    losses,
    st.sampled_from([0, 500, 20_000]),
)
def test_whatever_happens_the_window_holds_and_all_that_is_held_is_settled_in_the_end(
    window: int, held: int, script: list[tuple[str, int]], lost: Chance, rate: int
) -> None:
    world = World(window=window, held=held, rate=rate)
    play(world, script, lost)
    world.finish(turns=40_000)
    assert world.settled == set(range(1, world.written + 1))


@settings(deadline=None)
@given(st.integers(0, 400), steps, losses)
def test_with_the_usual_window_the_hub_never_has_to_tell_more_ranges_than_a_mark_holds(
    held: int, script: list[tuple[str, int]], lost: Chance
) -> None:
    world = World(window=32, held=held)
    play(world, script, lost)
    for _ in range(40):
        world.now += 1.0
        world.send()
        world.carry(99, lost=lost)
        world.mark()
    assert world.most_ranges <= 32 + MOST_SPANS + MOST_OVERTAKING + MOST_RAW <= MOST_RANGES


@settings(deadline=None)
@given(st.integers(0, 300), st.lists(st.integers(0, 30), max_size=60), st.integers(1, 40))
def test_on_a_link_that_loses_nothing_no_batch_goes_twice(held: int, writes: list[int], carries: int) -> None:
    world = World(window=8, held=held)
    for number in writes:
        for _ in range(number):
            world.write(alarm=number == 7)
        world.turn(carries=carries)
    world.finish()
    assert world.flight.resent == 0
    assert len(world.sendings) == world.written
