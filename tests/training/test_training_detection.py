"""Detectors are counted reading by reading, through the alarm that people would have had."""

import numpy as np
import pytest

from cloud_hub.training.detection import Rates, Run, pool
from kernels.alarm import AlarmPolicy, Direction


def a_run(scores: list[float], anomalous: list[int], *, persistence: int = 1) -> Run:
    policy = AlarmPolicy(
        output="anomaly", threshold=1.0, clear=1.0, persistence=persistence, direction=Direction.ABOVE
    )
    return Run(number=1, scores={"it": np.array(scores)}, anomalous=np.array(anomalous, bool), policy=policy)


def test_every_reading_counts_once_by_what_was_said_and_what_was_true() -> None:
    found = a_run([0.0, 2.0, 0.5, 1.0, 3.0], [0, 0, 1, 1, 1]).rates("it")
    assert found == Rates(found=2, missed=1, false=1, quiet=1)
    assert (found.false_rate, found.missed_rate) == (0.5, pytest.approx(1 / 3))
    assert found.f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_an_alarm_that_waits_misses_the_first_readings_and_outlasts_the_fault() -> None:
    found = a_run([0, 2, 2, 2, 2, 0, 0, 0], [0, 1, 1, 1, 1, 0, 0, 0], persistence=3).rates("it")
    assert found == Rates(found=2, missed=2, false=2, quiet=2)


def test_at_equal_false_alarms_the_best_limit_is_taken_and_none_that_alarms_more() -> None:
    one = a_run([0.1, 0.2, 0.6, 0.3, 0.5, 0.7], [0, 0, 0, 1, 1, 1])
    assert one.rates("it").missed_rate == 1.0  # its own limit is far too high
    assert one.trade_off("it").least_missed(0.0) == pytest.approx(2 / 3)
    assert one.trade_off("it").least_missed(1 / 3) == 0.0
    assert one.trade_off("it").least_missed(0.3) == pytest.approx(2 / 3)


def test_a_detector_that_cannot_keep_quiet_misses_everything_where_no_false_alarm_is_allowed() -> None:
    assert a_run([5.0, 1.0], [0, 1]).trade_off("it").least_missed(0.0) == 1.0


def test_pooling_adds_readings_and_not_rates() -> None:
    every = [Rates(found=1, missed=0, false=0, quiet=1), Rates(found=0, missed=3, false=0, quiet=5)]
    assert pool(every) == Rates(found=1, missed=3, false=0, quiet=6)
    assert pool(every).missed_rate == 0.75


def test_where_nothing_is_anomalous_no_rate_divides_by_nothing() -> None:
    found = a_run([0.0, 0.0], [0, 0]).rates("it")
    assert (found.f1, found.false_rate, found.missed_rate) == (0.0, 0.0, 0.0)
