"""Labels say of each row whether the machine was sound, and never two things at once."""

from typing import Any

import numpy as np
import pytest

from cloud_hub.dataset.judging import Judged, judge
from cloud_hub.store.labels import NewLabel
from models.examples import FAULTY, SOUND, UNKNOWN
from models.use_case import UseCase, find
from wire.clock import to_datetime

HOUR_US = 3_600_000_000
TEN = np.arange(10, dtype=np.int64) * HOUR_US


def motor(window: float | None = 2.0, *, healthy_rows: int = 0, healthy_share: float = 0.0) -> UseCase:
    """Lives in hours; the faults "ball" and "outer race"."""
    found = find("motor-health")
    fields = found.model_dump() | {
        "faults": {"classes": ("ball", "outer race"), "window": window},
        "anomaly": {"healthy_share": healthy_share, "healthy_rows": healthy_rows},
        "alarms": (),
    }
    return UseCase.model_validate(fields)


def told(kind: str, hour: float, **detail: Any) -> NewLabel:
    return NewLabel(machine="pump-1", kind=kind, time=to_datetime(round(hour * HOUR_US)), detail=detail)


def verdict(hour: float, says: str, since: float, until: float, **detail: Any) -> NewLabel:
    span = {
        name: to_datetime(round(at * HOUR_US)).isoformat()
        for name, at in (("since", since), ("until", until))
    }
    return told("verdict", hour, verdict=says, **span, **detail)


def health(judged: Judged) -> str:
    """A letter a row: s sound, f faulty, . nobody knows."""
    letters = {SOUND: "s", FAULTY: "f", UNKNOWN: "."}
    return "".join(letters[int(value)] for value in judged.health)


def test_nothing_is_known_of_a_machine_without_labels() -> None:
    judged = judge(TEN, [], motor())
    assert health(judged) == ".........."
    assert np.isnan(judged.lives.remaining).all()


def test_rows_within_the_window_before_a_failure_show_its_fault() -> None:
    judged = judge(TEN, [told("failure", 9, fault="outer race")], motor(2.0))
    assert health(judged) == ".......fff"
    assert judged.fault.tolist() == [-1] * 7 + [1] * 3


def test_a_fault_without_a_name_is_a_fault_all_the_same() -> None:
    judged = judge(TEN, [told("failure", 9)], motor(2.0))
    assert health(judged) == ".......fff"
    assert (judged.fault == -1).all()


def test_without_a_window_the_whole_life_shows_the_fault_but_for_the_rows_declared_healthy() -> None:
    label = told("failure", 9, fault="ball")
    assert health(judge(TEN, [label], motor(None))) == "ffffffffff"
    assert health(judge(TEN, [label], motor(None, healthy_rows=3))) == "sssfffffff"


def test_the_first_share_of_a_failed_life_is_sound() -> None:
    assert health(judge(TEN, [told("failure", 9)], motor(2.0, healthy_share=0.25))) == "sss....fff"


def test_the_first_rows_of_every_life_are_sound_whether_it_failed_or_not() -> None:
    labels = [told("maintenance", 4.5)]
    assert health(judge(TEN, labels, motor(healthy_rows=2))) == "ss...ss..."


@pytest.mark.parametrize("ended", ["maintenance", "failure"])
def test_where_a_machine_is_measured_by_its_first_opening_no_later_life_counts_as_sound(ended: str) -> None:
    use_case, seconds = find("pump-anomaly"), np.arange(1000, dtype=np.int64) * 1_000_000
    labels = [told("maintenance", 300.5 / 3600), told(ended, 700.5 / 3600)]
    judged = judge(seconds, labels, use_case)
    assert health(judged) == "s" * 200 + "." * 800
    assert judged.lives.number.max() == 3


def test_a_short_life_is_faulty_at_its_end_even_where_its_first_rows_count_as_sound() -> None:
    labels = [told("failure", 3), told("maintenance", 3.5)]
    assert health(judge(TEN, labels, motor(1.0, healthy_rows=4))) == "ssffssss.."


def test_a_machine_that_lay_broken_is_not_called_sound() -> None:
    labels = [told("failure", 3), told("maintenance", 6)]
    judged = judge(TEN, labels, motor(1.0, healthy_rows=2))
    assert health(judged) == "ssff...ss."
    assert judged.lives.broken.tolist() == [False] * 4 + [True] * 3 + [False] * 3


def test_each_failure_names_the_fault_of_its_own_life() -> None:
    labels = [told("failure", 4, fault="ball"), told("failure", 9, fault="outer race")]
    assert judge(TEN, labels, motor(None)).fault.tolist() == [0] * 5 + [1] * 5


def test_a_failure_in_which_nothing_was_measured_says_nothing_of_the_life_before() -> None:
    labels = [told("failure", 9, fault="ball"), told("failure", 20, fault="outer race")]
    assert judge(TEN, labels, motor(None)).fault.tolist() == [0] * 10


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (verdict(9, "right", 2, 4, fault="ball"), "..fff....."),
        (verdict(9, "right", 2, 4), "..fff....."),
        (verdict(9, "wrong", 2, 4), "..sss....."),
        (verdict(9, "wrong", 2, 4, fault=None), "..sss....."),
        (verdict(9, "right", 2, 4, fault=None), "..fff....."),
    ],
)
def test_a_verdict_judges_its_span(label: NewLabel, expected: str) -> None:
    judged = judge(TEN, [label], motor())
    assert health(judged) == expected
    assert judged.contradictions == ()


def test_a_verdict_knows_better_than_the_window_before_a_failure() -> None:
    labels = [told("failure", 9), verdict(7, "wrong", 5, 7)]
    judged = judge(TEN, labels, motor(4.0))
    assert health(judged) == ".....sssff"
    assert judged.contradictions == ()


def test_a_machine_that_failed_and_was_sound_at_the_same_moment_is_told_of_and_learnt_as_neither() -> None:
    labels = [told("failure", 9), verdict(9, "wrong", 8, 9)]
    judged = judge(TEN, labels, motor(4.0))
    assert health(judged) == ".....fff.."
    (text,) = judged.contradictions
    assert "pump-1 failed at 1970-01-01T09:00" in text
    assert "a verdict calls it sound from 1970-01-01T08:00" in text


def test_a_second_verdict_on_an_alarm_counts_in_place_of_the_first() -> None:
    alarm = to_datetime(4 * HOUR_US).isoformat()
    labels = [verdict(5, "wrong", 4, 5, alarm=alarm), verdict(8, "right", 4, 8, fault="ball", alarm=alarm)]
    judged = judge(TEN, labels, motor())
    assert health(judged) == "....fffff."
    assert judged.contradictions == ()


def test_verdicts_that_deny_each_other_are_learnt_as_neither_where_they_overlap() -> None:
    labels = [verdict(5, "wrong", 1, 5), verdict(8, "right", 4, 8, fault="ball")]
    judged = judge(TEN, labels, motor())
    assert health(judged) == ".sss..fff."
    assert judged.fault.tolist() == [-1] * 6 + [0] * 3 + [-1]
    assert "verdicts on pump-1 deny each other" in judged.contradictions[0]


def test_a_use_case_without_faults_learns_only_the_end_of_a_life_from_a_failure() -> None:
    plain = motor().model_copy(update={"faults": None})
    judged = judge(TEN, [told("failure", 9)], plain)
    assert health(judged) == ".........."
    assert judged.lives.remaining.tolist() == list(range(9, -1, -1))
