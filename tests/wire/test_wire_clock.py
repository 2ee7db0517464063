import time

import pytest

from wire.clock import MICROSECONDS, Clock, readable, to_datetime, to_us
from wire.errors import ClockError

DAY = 86_400 * MICROSECONDS


def test_scaled_clock_runs_its_factor_and_then_is_real() -> None:
    anchor = time.time() - 10
    started = round(anchor * MICROSECONDS) - 10 * DAY
    clock = Clock(started, 43_200.0, anchor)
    assert clock.now_us() - started == pytest.approx(10 * 43_200 * MICROSECONDS, rel=0.01)
    assert clock.rate() == 43_200
    caught_up = Clock(started, 1e6, anchor)
    assert abs(caught_up.now_us() - time.time() * MICROSECONDS) < MICROSECONDS
    assert caught_up.rate() == 1


def test_a_subprocess_reads_the_same_time() -> None:
    clock = Clock.parse("2026-01-01T00:00:00Z,1000")
    assert Clock.parse(str(clock)) == clock
    assert Clock.parse("") == Clock.real() == Clock.parse(str(Clock.real()))


def test_real_seconds_cross_the_moment_of_catching_up() -> None:
    anchor = time.time()
    clock = Clock(round((anchor - 100) * MICROSECONDS), 2.0, anchor)  # meets real time after 100 seconds
    assert clock.real_seconds(50) == pytest.approx(50 / 2)
    passed = time.time() - anchor
    assert clock.real_seconds(200 + 30) == pytest.approx(100 + 30, abs=passed + 1)


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow,5",
        "2026-01-01,5",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z,0",
        "2026-01-01T00:00:00Z,nan",
        "2999-01-01T00:00:00Z,5",
        "1,2,3,4",
    ],
)
def test_an_unreadable_clock_is_refused(text: str) -> None:
    with pytest.raises(ClockError):
        Clock.parse(text)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ClockError, match="zone"):
        to_us(to_datetime(0).replace(tzinfo=None))
    assert to_us(to_datetime(1_234_567_890_123_456)) == 1_234_567_890_123_456


def test_any_number_of_microseconds_is_readable() -> None:
    assert readable(2_145_916_800_000_000) == "2038-01-01T00:00:00.000Z"
    assert readable((1 << 63) - 1) == "9223372036854775807 microseconds"
