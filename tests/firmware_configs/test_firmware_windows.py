"""Maintenance windows: read as people write them, and right on the days a clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_configs.errors import WindowError
from firmware_configs.windows import Window, is_open, next_open, parse_windows

LYON = ZoneInfo("Europe/Paris")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=LYON)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("sat,sun 02:00-06:00", "2026-11-28 02:00", "2026-11-28 06:00"),
        ("sat,sun 02:00-06:00", "2026-11-29 05:59", "2026-11-27 03:00"),
        ("fri 22:00-04:00", "2026-11-28 03:59", "2026-11-27 03:59"),
        ("mon-fri 22:00-04:00", "2026-11-27 22:00", "2026-11-28 22:00"),
        ("fri-mon 01:00-02:00", "2026-11-30 01:30", "2026-12-01 01:30"),
        ("daily 20:00-24:00", "2026-11-27 23:59", "2026-11-27 00:00"),
        ("daily 00:00-00:00", "2026-11-27 12:00", None),
    ],
)
def test_a_window_holds_its_hours_and_no_others(text, inside, outside):
    assert is_open([Window.parse(text)], at(inside), LYON)
    assert outside is None or not is_open([Window.parse(text)], at(outside), LYON)


def test_without_a_window_every_moment_will_do():
    assert is_open((), at("2026-11-27 12:00"), LYON)


@pytest.mark.parametrize(
    "text", ["sat,sun 02:00-06:00", "daily 01:00-03:00", "mon,tue,wed,thu,fri 22:00-04:00"]
)
def test_a_window_reads_back_as_it_was_written(text):
    assert str(Window.parse(text)) == text


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-27T12:00:30+00:00", "2026-11-28T01:00:00+00:00"),  # winter: 02:00 in Lyon
        ("2026-07-03T12:00:00+00:00", "2026-07-04T00:00:00+00:00"),  # summer
        ("2026-03-28T06:00:00+00:00", "2026-03-29T01:00:00+00:00"),  # 02:00 is skipped: 03:00 is the first
        ("2026-10-25T00:30:00+00:00", "2026-10-25T00:30:00+00:00"),  # 02:30 for the first time
        ("2026-10-25T01:30:00+00:00", "2026-10-25T01:30:00+00:00"),  # and for the second
    ],
)
def test_the_next_opening_follows_the_clocks_of_the_site(moment, opens):
    windows = parse_windows(["sat,sun 02:00-04:00"])
    assert next_open(windows, datetime.fromisoformat(moment), LYON) == datetime.fromisoformat(opens)


def test_an_hour_that_is_skipped_is_in_no_window():
    windows = parse_windows(["sun 02:00-02:30"])
    after = next_open(windows, datetime(2026, 3, 28, 12, tzinfo=UTC), LYON)
    assert after == datetime(2026, 4, 5, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a window like"),
        ("sat 2-6", "expected a window like"),
        ("someday 02:00-06:00", "'someday' in 'someday 02:00-06:00'"),
        ("sat-fun 02:00-06:00", "'sat-fun'"),
        ("sat 02:61-06:00", "'02:61'"),
        ("sat 25:00-06:00", "'25:00'"),
    ],
)
def test_what_is_no_window_is_refused_by_name(text, reason):
    with pytest.raises(WindowError, match=reason):
        Window.parse(text)


@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]
)
@given(
    begins=st.integers(0, 1439),
    lasts=st.integers(1, 600),
    minute=st.integers(0, 275 * 1440),
)
@settings(max_examples=12, deadline=None)
def test_no_opening_is_leapt_over(zone, begins, lasts, minute):
    days, end = "sun,wed" if begins % 2 else "daily", (begins + lasts) % 1440
    text = f"{days} {begins // 60:02}:{begins % 60:02}-{end // 60:02}:{end % 60:02}"
    moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minute)
    windows, place = parse_windows([text]), ZoneInfo(zone)
    found = next_open(windows, moment, place)
    minutes = int((found - moment).total_seconds() // 60)
    assert is_open(windows, found, place)
    earlier = (found - timedelta(minutes=minute) for minute in range(1, minutes + 1))
    assert not any(is_open(windows, each, place) for each in earlier)
