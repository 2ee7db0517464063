"""The gate is arithmetic: it can be argued with, and no amount of anything else buys a bad model through."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.training.gate import Costs, Rival, Verdict, chance_better, judge
from cloud_hub.training.scorecard import Scorecard
from models.declared.judging import Coverage, Gate

CHEAP = Costs(latency_ms=0.1, bytes=10_000)


def card(*errors: float, covered: float = 0.9, unsound: float = 0.0) -> Scorecard:
    return Scorecard(
        machines=tuple(f"m{n}" for n in range(len(errors))),
        mean_square=tuple(error**2 for error in errors),
        mean_absolute=errors,
        rows=100,
        unsound=unsound,
        covered=tuple(covered for _ in errors),
        width=20.0,
    )


def judged(
    own: Scorecard, *, trivial: float = 40.0, champion: Scorecard | None = None, costs: Costs = CHEAP
) -> Verdict:
    count = len(own.machines)
    baselines = (
        Rival(name="mean remaining life", card=card(*[trivial] * count)),
        Rival(name="remaining life by age", card=card(*[trivial * 2] * count)),
    )
    rival = Rival(name="turbofan-rul/3", card=champion) if champion else None
    return judge(own, baselines, rival, costs=costs, rule=Gate(), interval=Coverage(), unit="h")


def test_good_candidate_passes_and_says_why() -> None:
    verdict = judged(card(10, 12, 14))
    assert verdict.passed
    assert verdict.reason == ("RMSE 12.11 h on 3 held-out machines, against 40 by mean remaining life")


def test_candidate_is_held_against_the_best_baseline() -> None:
    verdict = judged(card(39, 39, 39))
    assert not verdict.passed
    assert "error against mean remaining life: expected <= 36 h (0.9 x 40), got RMSE 39 h" in verdict.reason


def test_guess_that_need_not_be_beaten_is_shown_all_the_same() -> None:
    cards = {"mean remaining life": card(80, 80), "remaining life by age": card(9, 9)}
    rivals = tuple(Rival(name=name, card=found) for name, found in cards.items())
    rule = Gate(must_beat=("mean remaining life",))
    verdict = judge(card(10, 12), rivals, None, costs=CHEAP, rule=rule, interval=Coverage(), unit="h")
    assert verdict.passed
    assert verdict.evidence["baselines"] == {"mean remaining life": 80.0, "remaining life by age": 9.0}


def test_candidate_worse_than_the_champion_is_refused() -> None:
    verdict = judged(card(10, 12, 14), champion=card(9, 11, 13))
    assert not verdict.passed
    assert "error against turbofan-rul/3" in verdict.reason


def test_candidate_equal_to_the_champion_passes() -> None:
    assert judged(card(10, 12, 14), champion=card(10, 12, 14)).passed


def test_champion_is_compared_only_on_machines_that_it_has_not_learnt_from() -> None:
    unfair = card(1, 1, 20)
    assert not judged(card(10, 12, 14), champion=unfair).passed
    assert judged(card(10, 12, 14), champion=unfair.only(["m2"])).passed


def test_one_answer_that_is_no_answer_is_refused() -> None:
    verdict = judged(card(10, 12, 14, unsound=0.001))
    assert not verdict.passed
    assert "sound answers: expected every one, got 99.9%" in verdict.reason


def test_interval_that_does_not_hold_its_promise_is_refused() -> None:
    assert not judged(card(*[10.0] * 30, covered=0.75)).passed
    assert judged(card(*[10.0] * 30, covered=0.85)).passed  # 30 machines may deviate by so much


def test_slow_or_large_candidate_is_refused() -> None:
    assert "latency" in judged(card(10, 12), costs=Costs(latency_ms=9.0, bytes=1)).reason
    assert "size" in judged(card(10, 12), costs=Costs(latency_ms=0.1, bytes=1 << 30)).reason


def test_single_held_out_machine_judges_nobody() -> None:
    assert "held-out machines: expected >= 2, got 1" in judged(card(10)).reason


def test_verdict_is_plain_values_with_its_evidence() -> None:
    verdict = judged(card(10, 12, 14), champion=card(20, 20, 20))
    told = json.loads(json.dumps(verdict.to_fields(), allow_nan=False))
    assert told["evidence"]["machines"] == ["m0", "m1", "m2"]
    assert [pair["rival"] for pair in told["evidence"]["paired"]] == ["mean remaining life", "turbofan-rul/3"]
    assert told["evidence"]["paired"][1]["machines_better"] == 3
    assert told["evidence"]["paired"][1]["chance_better"] == 1.0
    assert all(check["passed"] for check in told["checks"])


errors = st.lists(st.floats(0.5, 100), min_size=2, max_size=12)


@given(errors)
def test_same_cards_give_the_same_verdict(values: list[float]) -> None:
    assert judged(card(*values)) == judged(card(*values))


@given(errors, st.floats(1.0, 3.0))
def test_getting_worse_on_every_machine_never_helps(values: list[float], factor: float) -> None:
    better, worse = judged(card(*values)), judged(card(*(value * factor for value in values)))
    assert better.passed or not worse.passed


@given(errors)
def test_chance_of_being_better_is_one_against_who_is_worse_everywhere(values: list[float]) -> None:
    own, other = card(*values), card(*(value + 1 for value in values))
    assert (chance_better(own, other), chance_better(other, own)) == (1.0, 0.0)


def test_reason_names_every_check_that_failed() -> None:
    verdict = judged(card(50, 50, unsound=0.5, covered=0.1))
    assert [check.name for check in verdict.checks if not check.passed] == [
        "sound answers",
        "error against mean remaining life",
        "coverage of the interval",
    ]
    assert verdict.reason.count(";") == 2


def test_baselines_alone_judge_the_first_model() -> None:
    with pytest.raises(ValueError, match="empty"):
        judge(card(1, 1), (), None, costs=CHEAP, rule=Gate(), interval=Coverage(), unit="h")
