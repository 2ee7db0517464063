"""What an alarm was worth, by the truth: caught in time, too late, false, or none of them."""

import json

import numpy as np
import pytest

from cloud_hub.training.bench_motor import FLOOR, LOUDNESS, MOST_FALSE, Fleet, loudest
from cloud_hub.training.bench_motor_lives import HOUR_US, TrueLife, Worth, read_lives, worth
from models.examples import Examples
from wire.manifest import AlarmRule

TIMES = np.arange(1, 401) * HOUR_US
DAMAGED_H, FAILED_H = 100, 200


def life(*, failed: bool = True, damaged: float | None = DAMAGED_H, end: float = FAILED_H) -> TrueLife:
    return TrueLife(
        start_us=0,
        end_us=round(end * HOUR_US),
        failed=failed,
        fault="ball",
        damaged_us=None if damaged is None else round(damaged * HOUR_US),
    )


def judged(*spans: tuple[int, int], of: TrueLife | None = None, lenient: bool = False) -> Worth:
    """Alarms open over ``spans`` (hours, both ends among them) of one life."""
    active = np.zeros(len(TIMES), bool)
    for first, last in spans:
        active[first - 1 : last] = True
    return worth(TIMES, active, [of or life()], lenient=lenient)


@pytest.mark.parametrize(
    ("spans", "caught", "false"),
    [
        (((120, 210),), 1, 0),
        (((180, 210),), 1, 0),  # with exactly a tenth of the life left
        (((181, 210),), 0, 0),  # too late, yet not false
        (((90, 210),), 0, 1),  # nothing was damaged yet
        (((120, 150),), 0, 1),  # taken back before the failure
        (((120, 150), (160, 210)), 1, 1),
        (((120, 260),), 1, 1),  # a repaired machine is still alarmed two days later
        ((), 0, 0),
    ],
)
def test_an_alarm_counts_by_when_it_begins_and_whether_it_lasts(
    spans: tuple[tuple[int, int], ...], caught: int, false: int
) -> None:
    found = judged(*spans)
    assert (len(found.catches), found.false_alarms) == (caught, false)
    assert found.failures == 1
    assert len(found.missed) == 1 - caught


def test_a_lenient_rule_may_take_its_alarms_back_but_not_raise_them_on_sound_machines() -> None:
    found = judged((90, 95), (120, 150), (170, 300), lenient=True)
    assert (len(found.catches), found.false_alarms) == (1, 1)
    assert found.catches[0].left == pytest.approx(0.4)


def test_every_alarm_on_a_machine_that_stays_sound_is_false() -> None:
    found = judged((20, 30), (150, 160), of=life(failed=False, damaged=None))
    assert (found.failures, found.false_alarms) == (0, 2)


def test_an_alarm_on_damage_that_an_overhaul_ends_is_neither_caught_nor_false() -> None:
    found = judged((120, 205), of=life(failed=False))
    assert (found.failures, len(found.catches), found.false_alarms) == (0, 0, 0)


def test_an_alarm_that_the_end_of_the_recording_leaves_open_was_not_taken_back() -> None:
    found = judged((350, 400), of=life(end=500))
    assert (found.failures, found.false_alarms) == (0, 0)


def test_a_failure_that_nobody_could_have_caught_does_not_count() -> None:
    assert judged(of=life(damaged=10, end=20)).failures == 0
    assert judged(of=life(end=500)).failures == 0


def test_months_are_those_in_operation() -> None:
    parts = [judged(), judged((20, 30), of=life(failed=False, damaged=None))]
    found = Worth.sum(parts)
    assert found.months == pytest.approx(2 * 199 / 730.5)
    assert found.false_per_month == pytest.approx(1 / found.months)
    assert found.caught_share == 0


def test_lives_are_read_from_the_truth_that_the_simulator_keeps() -> None:
    row = {"machine": "pump-1", "mode": "ball", "start": "1970-01-01T00:00:00+00:00", "failure": None}
    row |= {"end": "1970-01-01T02:00:00+00:00", "damaged": None}
    (found,) = read_lives([json.dumps(row)])["pump-1"]
    assert found == TrueLife(start_us=0, end_us=2 * HOUR_US, failed=False, fault="ball", damaged_us=None)
    assert not found.damaged_at(HOUR_US)


def fleet(levels: dict[str, np.ndarray], lives: dict[str, TrueLife]) -> Fleet:
    """Machines whose windows are as loud as ``levels`` say [400] in m/s2."""
    count, width = len(levels) * len(TIMES), len(LOUDNESS)
    loud = np.log1p(np.concatenate(list(levels.values())) / FLOOR).astype(np.float32)
    rows = Examples(
        machines=tuple(levels),
        sites=("here",) * len(levels),
        faults=(),
        names=LOUDNESS,
        units=("1",) * width,
        machine=np.repeat(np.arange(len(levels), dtype=np.int32), len(TIMES)),
        times=np.tile(TIMES, len(levels)),
        life=np.ones(count, np.int32),
        age=np.zeros(count, np.float32),
        remaining=np.full(count, np.nan, np.float32),
        health=np.full(count, -1, np.int8),
        fault=np.full(count, -1, np.int16),
        features=np.stack([loud, loud - 1], axis=1),
    )
    return Fleet(rows=rows, lives={name: [life] for name, life in lives.items()})


def rule(persistence: int) -> AlarmRule:
    return AlarmRule(output="x", direction="above", threshold=0.5, clear=0.3, persistence=persistence)


def test_the_limit_on_loudness_catches_what_it_can_without_more_false_alarms_than_allowed() -> None:
    quiet, noisy = np.full(len(TIMES), 1.0), np.full(len(TIMES), 1.0)
    quiet[149:200] = 2.0  # worn, and not as loud as ...
    noisy[49:60] = 3.0  # ... a machine that is sound
    worn = np.full(len(TIMES), 1.0)
    worn[149:200] = 4.0
    sound = life(failed=False, damaged=None, end=400)
    levels = {"a": quiet, "b": noisy, "c": worn}
    found = fleet(levels, {"a": life(), "b": sound, "c": life()})
    limit = loudest(found, [rule(3), rule(5), rule(5)])
    assert 3.0 < limit.threshold < 4.01
    assert limit.persistence == 5
    value = found.worth(found.active(limit, found.loudness), lenient=True)
    assert (value.caught_share, value.false_alarms) == (0.5, 0)
    assert 1 / value.months > MOST_FALSE  # one would have been too many
    assert [found.rows.times[catch.place] / HOUR_US for catch in value.catches] == [154]
    assert found.healthy_share == pytest.approx(1 / 3)
