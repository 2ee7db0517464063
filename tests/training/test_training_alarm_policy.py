"""Alarms are judged by what they cost, as a device would raise them, and the cheapest are chosen."""

from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from cloud_hub.training import service
from cloud_hub.training.alarm_policy import choose, judge
from kernels.alarm import CLOSED, AlarmPolicy, step
from models import use_case
from models.declared.judging import Alarm, Costs
from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from wire.manifest import AlarmRule

HOUR_US = 3_600_000_000
HOURS_A_MONTH = service.MONTH_US / HOUR_US
MOTOR = use_case.find("motor-health")
COSTS = Costs(currency="EUR", failure=1000.0, planned=100.0, false_alarm=10.0)


def rule(threshold: float = 72.0, clear: float = 72.0, persistence: int = 1) -> AlarmRule:
    return AlarmRule(
        output="remaining_life",
        direction="below",
        threshold=threshold,
        clear=clear,
        persistence=persistence,
    )


def declared(*alarms: Alarm) -> use_case.UseCase:
    return MOTOR.model_copy(update={"alarms": alarms, "costs": COSTS})


def by_cost(**more: object) -> Alarm:
    return Alarm(output="remaining_life", direction="below", policy="cost", **more)


def lived(*lives: tuple[int, int, bool], health: Sequence[int] | None = None) -> Examples:
    """Hourly rows of (machine, hours, failed), a life each."""
    machine = np.concatenate([np.full(hours, number) for number, hours, _ in lives])
    age = np.concatenate([np.arange(hours) for _, hours, _ in lives])
    left = [np.arange(hours)[::-1] if failed else np.full(hours, np.nan) for _, hours, failed in lives]
    count = len(machine)
    return Examples(
        machines=tuple(f"m{number}" for number in range(machine.max() + 1)),
        sites=("plant-1",) * int(machine.max() + 1),
        faults=(),
        names=("a",),
        units=("1",),
        machine=machine.astype(np.int32),
        times=np.arange(count) * HOUR_US,
        life=np.concatenate([np.full(hours, place) for place, (_, hours, _) in enumerate(lives)]).astype(
            np.int32
        ),
        age=age.astype(np.float32),
        remaining=np.concatenate(left).astype(np.float32),
        health=np.full(count, UNKNOWN, np.int8) if health is None else np.array(health, np.int8),
        fault=np.full(count, -1, np.int16),
        features=np.zeros((count, 1), np.float32),
    )


def said(values: Sequence[float]) -> np.ndarray:
    """Answers whose first output is remaining life."""
    answers = np.zeros((len(values), len(MOTOR.outputs)), np.float32)
    answers[:, 0] = values
    return answers


def judged(examples: Examples, values: Sequence[float], *rules: AlarmRule, least_lead: float = 0.0):
    chosen = by_cost(thresholds=(1.0,), least_lead=least_lead)
    return judge(examples, said(values), rules or [rule()], declared(chosen))


def test_an_alarm_that_stays_open_to_the_failure_catches_it() -> None:
    found = judged(lived((0, 100, True)), [200] * 60 + [50] * 40)
    assert (found.failures, found.caught, found.false_alarms) == (1, 1, 0)
    assert found.lead == (39.0, 39.0, 39.0)
    assert found.lead_share[1] == pytest.approx(39 / 99)


def test_an_alarm_that_was_taken_back_is_false_and_its_failure_missed() -> None:
    found = judged(lived((0, 100, True)), [200] * 60 + [50] * 20 + [200] * 20)
    assert (found.caught, found.late, found.false_alarms) == (0, 0, 1)


def test_an_alarm_that_is_open_from_the_first_row_to_the_failure_is_false_and_catches_nothing() -> None:
    found = judged(lived((0, 100, True)), [50] * 100)
    assert (found.failures, found.caught, found.late, found.false_alarms) == (1, 0, 0, 1)


def test_an_alarm_that_opened_while_labels_call_the_machine_sound_is_false() -> None:
    health = [UNKNOWN] * 50 + [SOUND] * 20 + [UNKNOWN] * 30
    answers = [200] * 60 + [50] * 40
    assert judged(lived((0, 100, True)), answers).caught == 1
    found = judged(lived((0, 100, True), health=health), answers)
    assert (found.caught, found.false_alarms) == (0, 1)


def test_an_alarm_on_a_machine_that_goes_on_running_is_false() -> None:
    found = judged(lived((0, 100, False)), [200] * 60 + [50] * 40)
    assert (found.failures, found.caught, found.false_alarms) == (0, 0, 1)
    assert found.false_per_month == pytest.approx(HOURS_A_MONTH / 99)


def test_an_alarm_too_late_to_act_on_is_neither_false_nor_of_use() -> None:
    found = judged(lived((0, 100, True)), [200] * 95 + [50] * 5, least_lead=0.1)
    assert (found.caught, found.late, found.false_alarms, found.lead) == (0, 1, 0, ())


def test_an_alarm_at_the_moment_of_failure_catches_nothing() -> None:
    found = judged(lived((0, 100, True)), [200] * 99 + [50])
    assert (found.caught, found.late, found.false_alarms) == (0, 1, 0)


def test_alarms_of_several_rules_that_overlap_are_one() -> None:
    anomaly = AlarmRule(output="anomaly", direction="above", threshold=1.0, clear=1.0, persistence=1)
    examples, answers = lived((0, 100, False)), said([200] * 40 + [50] * 20 + [200] * 40)
    answers[50:70, 1] = 2.0
    found = judge(examples, answers, [rule(), anomaly], declared())
    assert found.false_alarms == 1


def test_an_alarm_still_open_from_the_life_before_catches_nothing() -> None:
    found = judged(lived((0, 50, True), (0, 50, True)), [200] * 40 + [50] * 60)
    assert (found.failures, found.caught) == (2, 1)


def test_a_stretch_called_faulty_is_caught_by_an_alarm_that_opens_in_it() -> None:
    health = [UNKNOWN] * 40 + [FAULTY] * 20 + [UNKNOWN] * 20 + [FAULTY] * 20
    found = judged(lived((0, 100, False), health=health), [200] * 45 + [50] * 5 + [200] * 50)
    assert (found.failures, found.caught, found.false_alarms, found.lead) == (2, 1, 0, ())


def test_cost_counts_the_life_that_an_early_alarm_leaves_unused() -> None:
    """Half the life thrown away is twice the price of a renewal a month."""
    late = judged(lived((0, 101, True)), [200] * 99 + [50] * 2)
    early = judged(lived((0, 101, True)), [200] * 49 + [50] * 52)
    assert early.cost_per_month == pytest.approx(99 / 49 * late.cost_per_month)
    missed = judged(lived((0, 101, True)), [200] * 101)
    assert missed.cost_per_month == pytest.approx(COSTS.failure * HOURS_A_MONTH / 100)


def test_the_gate_alarms_at_the_rows_at_which_a_device_does() -> None:
    rng = np.random.default_rng(5)
    values = rng.uniform(0, 150, 400)
    policy = AlarmPolicy(output="remaining_life", threshold=72.0, clear=90.0, persistence=2)
    state, opened = CLOSED, 0
    for value in values:
        state, change = step(policy, state, float(value))
        opened += change == "opened"
    found = judged(lived((0, 400, False)), values, rule(72.0, 90.0, 2))
    assert found.false_alarms == opened > 10


def test_the_cheapest_rule_is_chosen() -> None:
    """Sound machines dip to 60 for an hour, failing ones stay below 40 for their last thirty hours."""
    lives = [(number, 300, number < 5) for number in range(10)]
    values = np.full((10, 300), 200.0)
    values[:, 100] = 60.0
    values[:5, 270:] = 40.0
    grid = by_cost(thresholds=(20.0, 50.0, 72.0, 250.0), margins=(0.0, 20.0), persistences=(1, 3))
    (chosen,) = choose(lived(*lives), said(values.ravel()), declared(grid))
    assert chosen.threshold == 50.0
    found = judge(lived(*lives), said(values.ravel()), [chosen], declared(grid))
    assert (found.caught, found.false_alarms) == (5, 0)


def test_a_limit_on_false_alarms_comes_before_cost() -> None:
    values = np.full((4, 300), 200.0)
    values[:2, 270:] = 40.0  # two fail ...
    values[2:, 270:] = 45.0  # ... and two look nearly like it
    lives = [(number, 300, number < 2) for number in range(4)]
    grid = {"thresholds": (42.0, 50.0), "persistences": (1, 40)}
    cheap = by_cost(thresholds=(50.0,), persistences=(1, 40))
    (free,) = choose(lived(*lives), said(values.ravel()), declared(cheap))
    assert free.persistence == 1
    (limited,) = choose(
        lived(*lives), said(values.ravel()), declared(cheap.model_copy(update={"most_false_alarms": 0.1}))
    )
    assert limited.persistence == 40
    (both,) = choose(lived(*lives), said(values.ravel()), declared(by_cost(**grid)))
    assert (both.threshold, both.persistence) == (42.0, 1)


def test_a_rule_that_is_written_down_is_taken_as_it_is() -> None:
    written = Alarm(output="remaining_life", direction="below", threshold=72.0, clear=120.0, persistence=3)
    chosen = choose(lived((0, 100, True)), said([200] * 100), declared(written))
    assert chosen == (rule(72.0, 120.0, 3),)


@pytest.mark.parametrize(
    ("said_wrong", "why"),
    [
        ({"policy": "fixed", "threshold": 3.0}, "expected clear for the policy 'fixed'"),
        ({"policy": "cost"}, "expected thresholds for the policy 'cost'"),
        ({"policy": "cost", "thresholds": ()}, "at least one threshold"),
        ({"policy": "cost", "thresholds": (3.0,), "clear": 4.0}, "clear say nothing under the policy 'cost'"),
        ({"threshold": 3.0, "clear": 4.0, "least_lead": 0.1}, "least_lead say nothing"),
        ({"threshold": 3.0, "clear": 2.0}, "expected clear at or above the threshold 3, got 2"),
        ({"policy": "cost", "thresholds": (3.0,), "margins": (-1.0,)}, "margins of at least 0"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(said_wrong: dict, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Alarm(output="remaining_life", direction="below", **said_wrong)


def test_renewal_by_age_is_worth_it_only_where_lives_are_alike() -> None:
    alike = service.lives_of(lived(*[(number, 200 + number, True) for number in range(10)]))
    age = service.best_age(alike, COSTS)
    assert age is not None
    assert 150 < age <= 199
    assert service.renewing(alike, COSTS, age) < service.never_alarming(alike, COSTS) / 5
    dear = COSTS.model_copy(update={"planned": 2000.0})
    assert service.best_age(alike, dear) is None
    assert service.best_age(service.lives_of(lived((0, 50, False))), COSTS) is None
