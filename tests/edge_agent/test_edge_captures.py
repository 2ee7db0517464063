"""Raw windows on the device: of alarms, on request, by routine; never at the price of anything else."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from edge_models import BELOW_20, FixedReleases, release
from edge_recorders import AT_ONCE, NAMES, batches, events, rows
from edge_world import START_US

from edge_agent.captures import Captures
from edge_agent.config import UplinkSettings
from edge_agent.machine_line import MachineLine
from edge_agent.outbox import Outbox
from edge_agent.recorder import CAPTURE_DROPPED, Recorder
from wire.batch import LONGEST_CAPTURE, BatchClass, Capture, GapEvent, Why
from wire.feed import Hello, Reading, Window
from wire.messages import WAVEFORM, Command
from wire.table import Machine, Signal, SignalKind, SignalTable

HOUR_US = 3_600_000_000
RATE_HZ = 12_800.0
SCALARS, AXES = (0, 1, 2), (3, 4)
TABLE = SignalTable(
    machines=(Machine(name="engine-0", machine_class="engine", feature_set="trend/1"),),
    signals=(
        *(Signal(id=each, machine=0, name=f"s{each}", unit="1") for each in SCALARS),
        *(
            Signal(id=each, machine=0, name=name, unit="m/s2", kind=SignalKind.WAVEFORM, rate_hz=RATE_HZ)
            for each, name in zip(AXES, ("vibration_x", "vibration_y"), strict=True)
        ),
    ),
)
HELLO = Hello(table=TABLE, replayable=True)

Opened = Callable[..., tuple[Recorder, Outbox]]


def wave(position: int, axis: int, length: int = 64) -> np.ndarray:
    return np.random.default_rng((position, axis)).standard_normal(length).astype(np.float32)


def windows(position: int, length: int = 64) -> tuple[Window, ...]:
    return tuple(Window(signal=each, rate_hz=RATE_HZ, values=wave(position, each, length)) for each in AXES)


def reading(position: int, *, hours: float = 0.0, life: float = 90.0, told: Sequence[Window] = ()) -> Reading:
    return Reading(
        position=position,
        machine=0,
        time_us=START_US + position + round(hours * HOUR_US),
        signals=SCALARS,
        values=(life, 0.0, 0.0),
        windows=tuple(told),
    )


def captures(outbox: Outbox) -> list[Capture]:
    return [item for batch in batches(outbox) for item in batch.captures]


def whys(found: Sequence[Capture]) -> list[tuple[str, int]]:
    return [(item.why, item.time_us - START_US) for item in found]


class Taking:
    """A machine's captures by hand, with a clock that stands still."""

    def __init__(self, routine_hours: float = 0.0, saved: dict[str, bytes] | None = None) -> None:
        self.now = 1000.0
        self.line = MachineLine(TABLE, 0, {}, ())
        self.captures = Captures(routine_hours, saved or {}, monotonic=lambda: self.now)

    def __call__(self, position: int, *, alarmed: bool = False, **how: object) -> list[Capture]:
        return self.captures.take(self.line, reading(position, **how), alarmed=alarmed)

    def later(self, seconds: float = 60.0) -> None:
        self.now += seconds


def test_a_machine_is_captured_once_at_first_and_then_by_the_hours_of_its_readings() -> None:
    taking = Taking(routine_hours=24)
    told = []
    for n in range(0, 60):
        told.append(taking(n, hours=n, told=windows(n)))
        taking.later()
    assert [n for n, found in enumerate(told) if found] == [0, 24, 48]
    assert [item.signal for item in told[24]] == [3, 4], "all waveforms of a machine, or none"
    np.testing.assert_array_equal(told[24][1].values, wave(24, 4))
    assert (told[24][0].time_us, told[24][0].rate_hz) == (reading(24, hours=24).time_us, RATE_HZ)


def test_no_routine_where_none_is_wanted_and_none_without_windows() -> None:
    assert not any(Taking(routine_hours=0)(n, hours=n, told=windows(n)) for n in range(100))
    assert not any(Taking(routine_hours=1)(n, hours=n) for n in range(100))


def test_a_clock_that_was_set_back_does_not_end_the_routine() -> None:
    taking = Taking(routine_hours=24)
    assert taking(1, hours=1000, told=windows(1))
    taking.later()
    assert taking(2, hours=0, told=windows(2))
    taking.later()
    assert not taking(3, hours=1, told=windows(3))


def test_a_clock_that_runs_fast_makes_no_flood_of_routine() -> None:
    taking = Taking(routine_hours=24)
    taken = []
    for second in range(0, 100):
        taken += [second for found in [taking(second, hours=100 * second, told=windows(second))] if found]
        taking.later(1)
    assert taken == [0, 30, 60, 90]


def test_the_window_that_raised_an_alarm_is_kept_or_the_newest_before_or_the_next_after() -> None:
    taking = Taking()
    (first, _) = taking(1, alarmed=True, told=windows(1))
    assert (first.why, first.time_us) == (Why.ALARM, reading(1).time_us)
    (before, _) = taking(2, alarmed=True)
    assert before.time_us == reading(1).time_us, "what was measured last before it"

    fresh = Taking()
    assert fresh(3, alarmed=True) == []
    again = Taking(saved=fresh.captures.memory())
    assert again(4) == []
    (after, _) = again(5, told=windows(5))
    assert (after.why, after.time_us) == (Why.ALARM, reading(5).time_us), "owed across a restart"
    assert again(6, told=windows(6)) == []


def test_a_command_is_answered_once_by_the_next_windows_whatever_else_they_are_for() -> None:
    taking = Taking()
    taking.captures.ask("engine-0", "c-1")
    assert taking(1) == [], "not by what was measured before somebody asked"
    (found, _) = taking(2, told=windows(2))
    assert (found.why, found.command) == (Why.ASKED, "c-1")
    taking.now += 60
    taking.captures.ask("engine-0", "c-1")  # the hub had not heard the answer when it said it again
    assert taking(3, told=windows(3)) == []
    taking.captures.ask("engine-0", "c-2")
    (found, _) = taking(4, alarmed=True, told=windows(4))
    assert (found.why, found.command) == (Why.ALARM, "c-2")
    restarted = Taking(saved=taking.captures.memory())
    restarted.captures.ask("engine-0", "c-2")
    assert restarted(5, told=windows(5)) == []


def test_a_flood_of_commands_is_one_capture_in_ten_seconds() -> None:
    taking = Taking()
    taken = []
    for second in range(1, 41):
        for n in range(50):
            taking.captures.ask("engine-0", f"c-{second}-{n}")
        taken += [second for found in [taking(second, told=windows(second))] if found]
        taking.now += 1
    assert taken == [1, 11, 21, 31]


def test_windows_that_are_not_sound_are_waited_out() -> None:
    x, y = windows(1)
    nan = Window(signal=3, rate_hz=RATE_HZ, values=np.full(64, np.nan, np.float32))
    slow = Window(signal=3, rate_hz=RATE_HZ / 2, values=x.values)
    empty = Window(signal=3, rate_hz=RATE_HZ, values=x.values[:0])
    taking = Taking()
    taking.captures.ask("engine-0", "c-1")
    for n, wrong in enumerate([(nan, y), (slow, y), (empty, y), (x,), (y, y)]):
        assert taking(n, told=wrong) == []
    assert [item.command for item in taking(9, told=(y, x))] == ["c-1", "c-1"]


def test_of_a_longer_window_the_beginning_is_kept() -> None:
    (found, _) = Taking(routine_hours=1)(1, told=windows(1, LONGEST_CAPTURE + 5))
    assert len(found.values) == LONGEST_CAPTURE


def test_captures_of_alarms_reach_the_outbox_with_what_raised_them_and_not_twice(opened: Opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    recorder.use(FixedReleases(release(NAMES, 1, alarms=(BELOW_20,), life=0.0, slope=1.0)))
    for position, life in enumerate([50, 19, 18, 17, 16, 40, 40], start=1):
        recorder.take(reading(position, life=life, told=windows(position)))
    recorder.flush()
    assert whys(captures(outbox)) == [("routine", 1)] * 2 + [("alarm", 3)] * 2
    assert recorder.stored.counters.captures == 4
    assert len(rows(outbox, BatchClass.FEATURE)) == 7
    assert all(batch.batch_class is BatchClass.WAVEFORM for batch in batches(outbox) if batch.captures)

    again, outbox = opened()
    again.hello(HELLO)
    again.take(reading(8, told=windows(8)))
    again.flush()
    assert len(captures(outbox)) == 4, "the routine goes on where it stood"


def test_what_was_not_committed_is_taken_again_from_the_position_that_was(opened: Opened) -> None:
    recorder, outbox = opened(UplinkSettings(max_age_s=60))
    recorder.hello(HELLO)
    recorder.take(reading(1, told=windows(1)))
    assert captures(outbox) == []
    again, outbox = opened()  # the first one died with what it had in memory
    again.hello(HELLO)
    assert again.position() == 0
    again.take(reading(1, told=windows(1)))
    again.flush()
    assert whys(captures(outbox)) == [("routine", 1)] * 2


def test_a_command_for_a_machine_without_waveforms_is_refused(opened: Opened) -> None:
    recorder, outbox = opened()
    assert not recorder.capture("engine-0", "c-1"), "the source has not told its signals"
    recorder.hello(HELLO)
    assert not recorder.capture("engine-1", "c-1")
    assert recorder.capture("engine-0", Command(kind=WAVEFORM, id="c-1").id)
    recorder.take(reading(1, told=windows(1)))
    recorder.flush()
    assert {(item.why, item.command) for item in captures(outbox)} == {("asked", "c-1")}


def test_long_windows_are_cut_into_batches_that_every_broker_takes(opened: Opened) -> None:
    recorder, outbox = opened()
    recorder.hello(HELLO)
    recorder.take(reading(1, told=windows(1, LONGEST_CAPTURE)))
    recorder.capture("engine-0", "c-1")
    recorder.take(reading(2, told=windows(2, 4096)))
    recorder.flush()
    found = [[item.time_us - START_US for item in batch.captures] for batch in batches(outbox)]
    assert [times for times in found if times] == [[1], [1], [2], [2]]


def test_a_full_outbox_drops_captures_and_no_feature(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.captures.ROUTINE_EVERY_S", 0.0)
    recorder, outbox = opened(AT_ONCE, max_bytes=60_000)
    recorder.hello(HELLO)
    for position in range(1, 41):
        recorder.capture("engine-0", "")
        recorder.take(reading(position, hours=25 * position, told=windows(position, 1024)))
        recorder.flush()
    assert len(rows(outbox, BatchClass.FEATURE)) == 40
    assert 0 < len(captures(outbox)) < 20, "of 80"
    assert outbox.dropped


def test_an_outbox_that_refuses_waits_for_no_capture_and_says_what_was_given_up(opened: Opened) -> None:
    recorder, outbox = opened(AT_ONCE, max_bytes=12_000, refuses=True)
    recorder.hello(HELLO)
    recorder.take(reading(1, told=windows(1, 4096)))
    recorder.flush()
    assert captures(outbox) == []
    assert len(rows(outbox, BatchClass.FEATURE)) == 1
    assert recorder.full == ""
    recorder.flush()
    assert [(gap.reason, gap.machine) for gap in events(outbox, GapEvent)] == [(CAPTURE_DROPPED, 0)]
