"""Of several verdicts on one alarm the last one stands."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cloud_hub.store.labels import NewLabel
from cloud_hub.store.verdicts import on_alarm, standing

OPENED = datetime(2026, 9, 1, 6, tzinfo=UTC)


def said(hours: float, verdict: str, **detail: Any) -> NewLabel:
    told = {"verdict": verdict, "alarm": OPENED.isoformat(), **detail}
    return NewLabel(machine="pump-1", kind="verdict", time=OPENED + timedelta(hours=hours), detail=told)


def test_the_last_verdict_on_an_alarm_replaces_the_ones_before_it_whatever_their_zone() -> None:
    first, last = said(1, "wrong", alarm="2026-09-01T08:00:00+02:00"), said(2, "right")
    assert standing([last, first]) == [last]
    assert on_alarm([last, first], opened=OPENED, use_case="motor-health") == [first, last]


def test_verdicts_on_other_alarms_spans_and_use_cases_stand() -> None:
    others = [
        said(0.5, "wrong", alarm=(OPENED - timedelta(hours=1)).isoformat()),
        NewLabel(machine="pump-1", kind="failure", time=OPENED + timedelta(hours=1)),
        NewLabel(
            machine="pump-1",
            kind="verdict",
            time=OPENED + timedelta(hours=1.5),
            detail={"verdict": "wrong", "since": OPENED.isoformat()},
        ),
        said(2, "wrong", use_case="pump-anomaly"),
        said(3, "right", use_case="motor-health"),
    ]
    assert standing(others) == others
    assert on_alarm(others, opened=OPENED, use_case="motor-health") == others[-1:]


def test_a_verdict_that_names_no_use_case_is_on_any_alarm_that_opened_then() -> None:
    imported, judged = said(1, "wrong"), said(2, "right", use_case="motor-health")
    assert standing([imported, judged]) == [judged]
    assert on_alarm([imported], opened=OPENED, use_case="motor-health") == [imported]
