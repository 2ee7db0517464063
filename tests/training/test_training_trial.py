"""What the gate is told of a candidate: one figure a task, on held-out machines, beside guesses without it."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_hub.errors import DatasetError
from cloud_hub.training import slices
from cloud_hub.training.alarm_policy import choose
from cloud_hub.training.gate import Price
from cloud_hub.training.scorecard import measure_anomaly, measure_faults
from cloud_hub.training.trial import Contender, Trial, trial
from cloud_hub.training.uncertainty import binomial_band, calibration_error, coverage_by_bin
from kernels.conditions import ConditionTable
from kernels.interval import calibrate
from models import use_case as use_cases
from models.examples import FAULTY, SOUND, UNKNOWN, Examples
from models.use_case import UseCase

CHEAP = Price(latency_ms=0.1, bytes=1000)
HOURS = 50
COMMON = """
title = "A test"
machine_class = "pump"
feature_set = "trend/1"
signals = [{ name = "a", unit = "1" }, { name = "b", unit = "1" }]
[costs]
currency = "EUR"
failure = 1000.0
planned = 100.0
false_alarm = 10.0
"""
TASKS = {
    "remaining-life": '[life]\nmeasured_in = "time"\nunit = "h"\ncap = 40.0\n',
    "fault-class": '[faults]\nclasses = ["inner race", "outer race"]\n',
    "anomaly": "",
}


MEAN_ALONE = '[gate]\nmust_beat = ["mean remaining life"]\n'


def declared(task: str, more: str = "") -> UseCase:
    if task == "remaining-life" and "[gate]" not in more:
        more += MEAN_ALONE  # the machines are so alike that their age tells all
    return use_cases.UseCase.parse(f'task = "{task}"\n{COMMON}{TASKS[task]}{more}', name="a-test")


def machines(names: Sequence[str], *, faults: tuple[str, ...] = (), failed: bool = True) -> Examples:
    """Machines of ``HOURS`` rows that fail at the end; the last fifth of each is faulty, of class number % 2."""
    count, rng = len(names), np.random.default_rng(len(names))
    faulty = np.arange(HOURS) >= HOURS * 4 // 5
    health = np.tile(np.where(faulty, FAULTY, SOUND), count)
    fault = np.repeat(np.arange(count) % 2, HOURS)
    features = rng.normal(size=(count * HOURS, 2)).astype(np.float32)
    features[:, 1] += 9.0 * (health == FAULTY)
    left = np.tile(np.arange(HOURS)[::-1], count).astype(np.float32)
    return Examples(
        machines=tuple(names),
        sites=tuple("lyon" if number < count // 2 else "oslo" for number in range(count)),
        faults=faults,
        names=("a.last", "b.last"),
        units=("1", "1"),
        machine=np.repeat(np.arange(count, dtype=np.int32), HOURS),
        times=np.tile(np.arange(HOURS), count) * 3_600_000_000,
        life=np.ones(count * HOURS, np.int32),
        age=np.tile(np.arange(HOURS), count).astype(np.float32),
        remaining=left if failed else np.full(len(left), np.nan, np.float32),
        health=health.astype(np.int8),
        fault=np.where((health == FAULTY) & bool(faults), fault, -1).astype(np.int16),
        features=features,
    )


LEARNING = tuple(f"l{number}" for number in range(8))
JUDGING = tuple(f"j{number}" for number in range(8))


def tried(use_case: UseCase, answers: NDArray, **more: object) -> Trial:
    faults = use_case.faults.classes if use_case.faults else ()
    learning = machines(LEARNING, faults=faults)
    judging = more.pop("judging", machines(JUDGING, faults=faults))
    return trial(
        more.pop("stored", judging),
        judging,
        learning,
        answers.astype(np.float32),
        use_case,
        **{"interval": None, "rules": (), "price": CHEAP, "crossed": learning_answers(learning, use_case)}
        | more,
    )


def learning_answers(learning: Examples, use_case: UseCase) -> NDArray:
    """What networks might say of ``learning``: every life is long, nothing is wrong."""
    answers = np.zeros((len(learning), len(use_case.outputs)), np.float32)
    if use_case.task == "remaining-life":
        answers[:, 0] = use_case.life.cap
    return answers


def life_answers(error: float, *, faulty_from: float = 10.0) -> NDArray:
    """[n, 2] remaining life off by ``error`` and an anomaly."""
    life = np.minimum(machines(JUDGING).remaining, 40.0)
    return np.stack([np.clip(life + error, 0, 40), life < faulty_from], axis=1)


def test_remaining_life_is_judged_with_its_interval_bin_by_bin() -> None:
    use_case = declared("remaining-life", "[interval]\nedges = [0.0, 20.0]\n")
    table = calibrate([10, 30], [8, 33], [1, 2], coverage=0.9, edges=(0.0, 20.0))
    found = tried(use_case, life_answers(2.0), interval=table)
    assert found.verdict.passed, found.verdict.reason
    evidence = found.verdict.evidence
    assert evidence["figure"]["unit"] == "h"
    assert evidence["rmse"] < 2.0 < evidence["baselines"]["mean remaining life"]
    assert [row["from"] for row in evidence["coverage_by_bin"]] == [0.0, 20.0]
    assert {row["machines"] for row in evidence["coverage_by_bin"]} == {8}
    assert found.metrics["by_machine"].keys() == {*JUDGING}
    assert found.metrics["baselines"]["mean"] == pytest.approx(
        np.minimum(machines(LEARNING).remaining, 40).mean(), abs=0.1
    )


def test_alarms_are_counted_on_held_out_machines_and_across_the_folds() -> None:
    below = '[[alarms]]\noutput = "remaining_life"\ndirection = "below"\nthreshold = 9.0\nclear = 9.0\n'
    use_case = declared("remaining-life", below)
    found = tried(use_case, life_answers(2.0), rules=choose(machines(LEARNING), None, use_case))
    alarms = found.verdict.evidence["alarms"]
    assert (alarms["failures"], alarms["caught"], alarms["lead"][1]) == (8, 8, 7.0)
    assert (alarms["crossed"]["failures"], alarms["crossed"]["caught"]) == (8, 0)
    assert alarms["renewing_by_age"] < alarms["never_alarming"]


def test_a_champion_is_held_to_the_machines_that_it_never_saw() -> None:
    use_case = declared("remaining-life")
    champion = {"name": "a-test/1", "answers": life_answers(1.0).astype(np.float32)}
    fair = tried(use_case, life_answers(6.0), champion=Contender(**champion, learning=frozenset(JUDGING[:3])))
    assert "error against a-test/1" in fair.verdict.reason
    assert fair.verdict.evidence["paired"][1]["machines"] == list(JUDGING[3:])
    biased = tried(
        use_case, life_answers(1.0), champion=Contender(**champion, learning=frozenset(JUDGING[:7]))
    )
    assert len(biased.verdict.evidence["paired"]) == 1
    assert not biased.verdict.passed
    assert "machines that a-test/1 has not learnt from: expected >= 2" in biased.verdict.reason
    assert "got 1 of 8 that judge" in biased.verdict.reason


def test_a_candidate_that_is_silent_where_machines_fail_is_refused() -> None:
    use_case, stored = declared("remaining-life"), machines(JUDGING)
    told = stored.remaining >= 10
    found = tried(use_case, life_answers(2.0)[told], judging=stored.where(told), stored=stored)
    assert found.verdict.evidence["silent"] == pytest.approx(0.2)
    assert found.verdict.reason == (
        "rows without an answer: expected <= 5.0% of those that can tell, got 20.0%"
    )
    hardly = stored.remaining >= 2
    assert tried(
        use_case, life_answers(2.0)[hardly], judging=stored.where(hardly), stored=stored
    ).verdict.passed


def test_silence_is_held_against_whoever_is_silent_and_decides_nothing_where_both_are() -> None:
    use_case, stored = declared("remaining-life", f"{MEAN_ALONE}most_silent = 0.5\n"), machines(JUDGING)
    told = stored.remaining >= 10
    answers, quiet = life_answers(3.0).astype(np.float32), life_answers(3.0).astype(np.float32)
    quiet[~told] = np.nan

    def against(champion: NDArray) -> Trial:
        rival = Contender(name="a-test/1", answers=champion, learning=frozenset())
        return tried(
            use_case, life_answers(2.0)[told], judging=stored.where(told), stored=stored, champion=rival
        )

    assert "error against a-test/1" in against(answers).verdict.reason
    assert against(answers).verdict.evidence["paired"][1]["own"] == pytest.approx(40 * 0.2**0.5, rel=0.05)
    assert against(quiet).verdict.passed
    assert against(quiet).verdict.evidence["paired"][1]["own"] < 2.0


def test_a_site_that_is_served_worse_is_seen() -> None:
    use_case = declared("remaining-life", f"{MEAN_ALONE}slice_machines = 4\n")
    answers, rows = life_answers(4.0), machines(JUDGING)
    answers[:200, 0] = life_answers(0.5)[:200, 0]
    champion = Contender(name="a-test/1", answers=life_answers(3.0).astype(np.float32), learning=frozenset())
    found = tried(use_case, answers, champion=champion, cuts=slices.cuts(rows, rows, None))
    assert "sites and conditions against a-test/1" in found.verdict.reason
    assert "site oslo" in found.verdict.reason


def fault_answers(wrong: int) -> NDArray:
    """[n, 3] sure of the class, and wrong about the first ``wrong`` machines; an anomaly."""
    rows = machines(JUDGING, faults=("inner race", "outer race"))
    truth = np.where(rows.health == SOUND, 2, rows.fault)
    truth[: wrong * HOURS] = (truth[: wrong * HOURS] + 1) % 3
    return np.concatenate([np.eye(3)[truth][:, :2], np.zeros((len(truth), 1))], axis=1)


def test_fault_classes_are_judged_by_machine_and_class_against_the_most_frequent() -> None:
    use_case = declared("fault-class")
    found = tried(use_case, fault_answers(wrong=1))
    assert found.verdict.passed, found.verdict.reason
    evidence = found.verdict.evidence
    assert evidence["figure"] == {"name": "error rate", "value": pytest.approx(1 / 8), "unit": "1"}
    assert evidence["baselines"] == {"the most frequent class": pytest.approx(0.5)}
    assert evidence["faults"]["calibration_error"] == pytest.approx(1 / 8)
    refused = tried(use_case, fault_answers(wrong=5))
    assert "error against the most frequent class" in refused.verdict.reason


def test_anomalies_are_judged_by_false_and_missed_alarms_against_always_alarming_and_one_feature() -> None:
    above = '[[alarms]]\noutput = "anomaly"\ndirection = "above"\nthreshold = 1.0\nclear = 1.0\n'
    use_case = declared("anomaly", above)
    rows = machines(JUDGING, failed=False)
    sure = np.where(rows.health == FAULTY, 3.0, 0.2)[:, None]
    rules = choose(machines(LEARNING), None, use_case)
    found = tried(use_case, sure, judging=rows, rules=rules)
    assert found.verdict.passed, found.verdict.reason
    evidence = found.verdict.evidence
    assert (evidence["missed_alarms"], evidence["false_alarms"]) == (0.0, 0.0)
    assert evidence["baselines"]["always alarming"] == 0.5
    assert evidence["alarms"]["failures"] == evidence["alarms"]["caught"] == 8
    assert evidence["alarms"]["never_alarming"] > evidence["alarms"]["cost_per_month"] > 0
    assert evidence["baselines"]["a limit on one feature (b.last)"] < 0.1
    nervous = np.where(rows.health == FAULTY, 3.0, 0.2 + (np.arange(len(rows)) % 4 == 0))[:, None]
    assert "sound rows called anomalous" in tried(use_case, nervous, judging=rows).verdict.reason
    blind = tried(use_case, np.full((len(rows), 1), 0.2))
    assert "error against a limit on one feature (b.last)" in blind.verdict.reason


@pytest.mark.parametrize("task", sorted(TASKS))
def test_held_out_machines_that_can_tell_nothing_are_refused(task: str) -> None:
    use_case = declared(task)
    silent = machines(JUDGING, failed=False)
    silent.health[:] = UNKNOWN
    answers = np.zeros((len(silent), len(use_case.outputs)))
    with pytest.raises(DatasetError, match=r"expected held-out rows with .*, got none among 400"):
        tried(use_case, answers, judging=silent)


@pytest.mark.parametrize("answer", [np.nan, -0.5, 1.5])
def test_a_probability_that_is_none_is_wrong_and_unsound(answer: float) -> None:
    rows = machines(JUDGING[:1], faults=("inner race", "outer race"))
    likely = fault_answers(0)[:HOURS, :2].astype(np.float32)
    likely[0] = answer
    card = measure_faults(rows, likely)
    assert card.unsound == 1 / HOURS
    assert card.loss[0] > 0


def test_a_machine_that_was_only_sound_is_judged_by_false_alarms_alone() -> None:
    rows = machines(["m"])
    rows.health[:] = SOUND
    card = measure_anomaly(rows, np.where(np.arange(HOURS) < 5, 2.0, 0.0))
    assert card.loss == (0.1,)
    assert dict(card.more) == {"false_alarms": 0.1}


def test_operating_conditions_are_told_apart_by_where_they_lie() -> None:
    rows = machines(JUDGING[:2])
    rows.features[:, 0] = np.where(np.arange(len(rows)) % 2, 1500.0, 900.0)
    rows.features[-1, 0] = 5000.0
    table = ConditionTable(
        signals=("a",),
        scale=(300.0,),
        centres=((3.0,), (5.0,)),
        radius=(0.5, 0.5),
        scalars=("b",),
        mean=((0.0,), (0.0,)),
        spread=((1.0,), (1.0,)),
    )
    kept = rows.where(np.arange(len(rows)) >= 10)
    found = slices.cuts(kept, rows, table)
    assert {name: int(mask.sum()) for name, mask in found.items()} == {
        "site lyon": 40,
        "site oslo": 50,
        "condition unknown": 1,
        "condition a 900": 45,
        "condition a 1500": 44,
    }


def test_coverage_by_bin_says_what_so_few_machines_may_deviate() -> None:
    rows = machines(JUDGING)
    table = calibrate([1, 2], [1, 2], [1, 2], coverage=0.9)
    (found,) = coverage_by_bin(rows, np.minimum(rows.remaining, 40), table, coverage=0.9, cap=40.0)
    assert (found["machines"], found["covered"], found["width"]) == (8, 1.0, 0.0)
    assert (found["low"], found["high"]) == binomial_band(0.9, 8) == (0.625, 1.0)


def test_calibration_error_is_the_gap_between_what_is_claimed_and_what_is_right() -> None:
    likely = np.full((100, 1), 0.8, np.float32)
    truth = np.where(np.arange(100) < 60, 0, 1)  # right in 60 of 100
    assert calibration_error(likely, truth) == pytest.approx(0.2, abs=1e-6)
    assert calibration_error(np.full((100, 1), 0.6, np.float32), truth) == pytest.approx(0.0, abs=1e-6)
