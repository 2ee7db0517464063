"""Good labels are kept, each bad line is named, and nobody learns of the future."""

import re
from datetime import UTC, datetime

import pytest

from cloud_hub.dataset.label_lines import Line, Refusal, parse

NOW = datetime(2026, 9, 1, tzinfo=UTC)
GOOD = '{"machine": "pump-1", "kind": "failure", "time": "2026-08-30T12:00:00+02:00", "note": "ball"}'


def test_line_becomes_a_label_with_its_note() -> None:
    (line,) = parse([GOOD], now=NOW)
    assert isinstance(line, Line)
    assert line.label.time == datetime(2026, 8, 30, 10, tzinfo=UTC)
    assert line.label.detail == {"note": "ball"}


def test_time_may_be_microseconds() -> None:
    (line,) = parse(['{"machine": "p", "kind": "maintenance", "time": 1000000}'], now=NOW)
    assert isinstance(line, Line)
    assert line.label.time == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[1]", "expected a JSON object"),
        ('{"machine": "p", "kind": "failure"}', "missing time"),
        ('{"kind": "failure"}', "missing machine, time"),
        (GOOD.replace("failure", "explosion"), "expected a kind out of failure, maintenance"),
        (GOOD.replace("2026-08-30T12:00:00+02:00", "yesterday"), "Invalid isoformat"),
        (GOOD.replace("+02:00", ""), "with its zone"),
        (GOOD.replace("2026-08-30", "2038-01-19"), "expected a time up to 2026-09-01"),
        ('{"machine": "p", "kind": "failure", "time": 1e400}', "expected numbers that a float can hold"),
        ('{"machine": "p", "kind": "failure", "time": 99999999999999999999}', ""),
        (GOOD.replace("2026-08-30T12:00:00+02:00", "0001-01-01T00:00:00+14:00"), "between 1970 and now"),
        (
            GOOD.replace("2026-08-30T12:00:00+02:00", "1970-01-01T01:00:00+02:00"),
            "expected a moment since 1970",
        ),
        ('{"machine": "p", "kind": "failure", "time": -1}', "since 1970, got 1969-12-31T23:59:59"),
        (GOOD.replace('"ball"', "NaN"), "expected JSON, which knows no NaN"),
        (GOOD.replace('"ball"', "[-Infinity]"), "expected JSON, which knows no -Infinity"),
        (GOOD.replace('"ball"', '{"deep": [1e999]}'), "expected numbers that a float can hold"),
        (GOOD.replace("ball", "\\u0000"), "expected text in UTF-8 without NUL, got '.x00'"),
        (GOOD.replace("ball", "\\ud800"), "expected text in UTF-8 without NUL, got '.ud800'"),
        (GOOD.replace("note", "\\udfff"), "expected text in UTF-8 without NUL, got '.udfff'"),
        (GOOD.replace("pump-1", "\\u0000"), "expected text in UTF-8 without NUL"),
        (GOOD.replace('"pump-1"', "7"), "expected the name of a machine, got 7"),
        (GOOD.replace('"pump-1"', "null"), "expected the name of a machine, got None"),
    ],
)
def test_bad_line_is_refused_and_its_neighbours_are_not(text: str, reason: str) -> None:
    first, bad, last = parse([GOOD, text, "", GOOD], now=NOW)
    assert isinstance(first, Line)
    assert isinstance(last, Line)
    assert isinstance(bad, Refusal)
    assert bad.line == 2
    assert last.number == 4
    assert re.search(reason, bad.reason)


VERDICT = '{"machine": "p", "kind": "verdict", "time": "2026-08-30T12:00:00Z", "verdict": "right", '


def test_a_verdict_judges_a_span_or_an_alarm_and_its_moments_are_kept_in_utc() -> None:
    span = VERDICT + '"since": "2026-08-30T10:00:00+02:00", "fault": "ball"}'
    alarm = VERDICT.replace("right", "wrong") + '"alarm": "2026-08-30T10:00:00Z"}'
    first, second = parse([span, alarm], now=NOW)
    assert isinstance(first, Line)
    assert first.label.detail["since"] == "2026-08-30T08:00:00+00:00"
    assert isinstance(second, Line)
    assert second.label.detail == {"verdict": "wrong", "alarm": "2026-08-30T10:00:00+00:00"}


def test_a_field_that_is_null_says_nothing() -> None:
    (line,) = parse([VERDICT + '"alarm": "2026-08-30T10:00:00Z", "since": null, "fault": null}'], now=NOW)
    assert isinstance(line, Line)
    assert line.label.detail == {"verdict": "right", "alarm": "2026-08-30T10:00:00+00:00"}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ('"note": "?"}', "expected the span it judges: since .and until., or the alarm's opening time"),
        ('"since": "2026-08-31T00:00:00Z"}', "expected since <= until <= time"),
        (
            '"since": "2026-08-30T02:00:00Z", "until": "2026-08-30T01:00:00Z"}',
            "expected since <= until <= time",
        ),
        (
            '"since": "2026-08-30T02:00:00Z", "until": "2026-08-31T01:00:00Z"}',
            "expected since <= until <= time",
        ),
        ('"alarm": "2026-08-31T00:00:00Z"}', "expected since <= until <= time"),
        ('"since": "2026-08-30T02:00:00"}', "with its zone"),
        ('"since": "1969-08-30T02:00:00Z"}', "expected a moment since 1970"),
        ('"since": "2026-08-30T02:00:00Z", "alarm": "1969-08-30T02:00:00Z"}', "expected a moment since 1970"),
        ('"since": "0001-01-01T00:00:00+14:00"}', "between 1970 and now"),
        ('"since": "2026-08-30T02:00:00Z", "fault": 7}', "expected the name of a fault, got 7"),
        (
            '"since": "2026-08-30T02:00:00Z", "verdict": "maybe"}',
            "expected a verdict right or wrong, got 'maybe'",
        ),
        ('"since": "2026-08-30T02:00:00Z", "verdict": "wrong", "fault": "ball"}', "expected no fault where"),
    ],
)
def test_a_verdict_that_judges_nothing_is_refused(told: str, reason: str) -> None:
    (refusal,) = parse([VERDICT + told], now=NOW)
    assert isinstance(refusal, Refusal)
    assert re.search(reason, refusal.reason)
