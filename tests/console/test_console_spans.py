"""Spans of links and moments that people write: read in their zone, refused in words where they cannot be."""

from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.exceptions import BadRequest

from cloud_hub.console import moments
from cloud_hub.console.machines.spans import Span
from cloud_hub.errors import ConflictError

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def own(start: str, end: str, zone: str = "UTC") -> dict[str, str]:
    return {"span": "own", "from": start, "to": end, "zone": zone}


def test_an_own_span_is_read_in_its_zone_and_its_link_says_the_same_in_utc() -> None:
    span = Span.of(own("2026-11-20T08:00", "2026-11-21T08:00", "Europe/Paris"), NOW)
    assert (span.start, span.end) == tuple(datetime(2026, 11, day, 7, tzinfo=UTC) for day in (20, 21))
    assert not span.is_live
    assert Span.of(span.link, NOW) == span


def test_going_back_and_forth_ends_live() -> None:
    live = Span.of({"span": "7d"}, NOW)
    assert live.later(NOW) is None
    before = Span.of(live.earlier, NOW)
    assert before.end == live.start
    assert before.later(NOW) == {"span": "7d"}
    earlier = Span.of(before.earlier, NOW)
    assert Span.of(earlier.later(NOW) or {}, NOW) == before
    assert Span.of(own("2026-11-27T11:00", "2026-11-27T13:00"), NOW).later(NOW) is None


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (own("2026-11-21T08:00", "2026-11-20T08:00"), "ends after it begins"),
        (own("2026-11-21T08:00", "2026-11-21T08:00"), "ends after it begins"),
        (own("2026-11-21T08:00:00", "2026-11-21T08:00:01"), "at least ten seconds"),
        (own("1990-01-01T00:00", "2026-11-21T08:00"), "at most ten years"),
        (own("0001-01-01T00:00", "2026-11-21T08:00"), "since 1970"),
        (own("0001-01-01T00:00", "0001-01-02T00:00", "Asia/Tokyo"), "since 1970"),
        (own("2026-12-21T08:00", "2026-12-22T08:00"), "nothing is known of what is to come"),
        (own("", "2026-11-21T08:00"), "from: expected a date and a time"),
        (own("2026-11-20T08:00", "soon"), "to: expected a date and a time, got 'soon'"),
        (own("2026-11-20T08:00", "2026-11-21T08:00", "Mars/Base"), "expected a zone such as Europe/Paris"),
        ({"span": "100y"}, "Expected a span such as 6h"),
    ],
)
def test_a_span_that_cannot_be_is_refused_in_words(asked: dict[str, str], why: str) -> None:
    with pytest.raises(BadRequest) as refused:
        Span.of(asked, NOW)
    assert why in (refused.value.description or "")


@pytest.mark.parametrize(
    ("text", "why"), [("2026-10-25T02:30", "comes twice"), ("2026-03-29T02:30", "is left out")]
)
def test_an_hour_that_clocks_have_twice_or_not_at_all_is_not_guessed(text: str, why: str) -> None:
    with pytest.raises(ConflictError, match=f"02:30 {why} on {text[:10]} in Europe/Paris"):
        moments.parse(text, "Europe/Paris")
    assert moments.parse(text, "UTC") == datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["../etc/passwd", "/etc/passwd", "Europe", "a\0b", " ", "x" * 5000])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConflictError, match="expected a zone"):
        moments.parse("2026-11-20T08:00", zone)


def test_the_clock_at_the_site_is_told_with_its_day_where_that_differs() -> None:
    evening = datetime(2026, 11, 27, 18, 3, tzinfo=UTC)
    assert moments.there(evening, "Europe/Paris") == "19:03"
    assert moments.there(evening, "Asia/Tokyo") == "11-28 03:03"
    assert moments.there(evening, "UTC") == ""
    assert moments.written(evening + timedelta(seconds=9), "Asia/Tokyo") == "2026-11-28T03:03"
