"""The gate is arithmetic: it can be argued with, and no amount of anything else buys a bad model through."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_hub.registry import wording
from cloud_hub.training.alarm_checks import AlarmTrial, least_rate
from cloud_hub.training.alarm_policy import AlarmFigures
from cloud_hub.training.gate import Price, Rival, Verdict, judge
from cloud_hub.training.pairing import pair
from cloud_hub.training.scorecard import Measure, Scorecard, Slice
from models.declared.judging import Alarm, Coverage, Gate

CHEAP = Price(latency_ms=0.1, bytes=10_000)
LIFE = Measure(name="RMSE", unit="h", squared=True)
RATE = Measure(name="error rate", unit="1", least=0.005)


def card(*errors: float, covered: float = 0.9, unsound: float = 0.0, measure: Measure = LIFE) -> Scorecard:
    return Scorecard(
        measure=measure,
        machines=tuple(f"m{n}" for n in range(len(errors))),
        loss=tuple(error**2 if measure.squared else error for error in errors),
        rows=100,
        unsound=unsound,
        covered=tuple(covered for _ in errors),
        width=20.0,
    )


def sliced(own: Scorecard, **parts: Sequence[float]) -> Scorecard:
    """``own`` with parts of so many machines, from m0 on, whose errors are given."""
    slices = tuple(
        Slice(name=name, machines=own.machines[: len(errors)], loss=tuple(error**2 for error in errors))
        for name, errors in parts.items()
    )
    return replace(own, slices=slices)


def judged(
    own: Scorecard,
    *,
    trivial: float = 40.0,
    champion: Scorecard | None = None,
    price: Price = CHEAP,
    rule: Gate = Gate(),  # noqa: B008 - frozen
    alarms: AlarmTrial | None = None,
) -> Verdict:
    count = len(own.machines)
    baselines = (
        Rival(name="mean remaining life", card=card(*[trivial] * count, measure=own.measure)),
        Rival(name="remaining life by age", card=card(*[trivial * 2] * count, measure=own.measure)),
    )
    rival = Rival(name="turbofan-rul/3", card=champion) if champion else None
    return judge(own, baselines, rival, price=price, rule=rule, interval=Coverage(), alarms=alarms)


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def test_good_candidate_passes_and_says_why() -> None:
    verdict = judged(card(10, 12, 14))
    assert verdict.passed
    assert verdict.reason == ("RMSE 12.11 h on 3 held-out machines, against 40 by mean remaining life")


def test_candidate_is_held_against_the_best_baseline() -> None:
    verdict = judged(card(39, 39, 39))
    assert not verdict.passed
    assert "error against mean remaining life: expected <= 36 h (0.9 x 40) on 90% of draws" in verdict.reason
    assert "got RMSE 39 h, within it on 0% of draws" in verdict.reason


def test_guess_that_need_not_be_beaten_is_shown_all_the_same() -> None:
    rivals = (
        Rival(name="mean remaining life", card=card(80, 80)),
        Rival(name="remaining life by age", card=card(9, 9), to_beat=False),
    )
    verdict = judge(card(10, 12), rivals, None, price=CHEAP, rule=Gate(), interval=Coverage())
    assert verdict.passed
    assert verdict.evidence["baselines"] == {"mean remaining life": 80.0, "remaining life by age": 9.0}


def test_candidate_worse_than_the_champion_is_refused() -> None:
    verdict = judged(card(10, 12, 14), champion=card(9, 11, 13))
    assert failed(verdict) == ["error against turbofan-rul/3"]


def test_candidate_equal_to_the_champion_passes() -> None:
    assert judged(card(10, 12, 14), champion=card(10, 12, 14)).passed


def test_a_better_figure_that_rests_on_one_machine_is_not_enough() -> None:
    """On average better, and worse on nine machines of ten: luck of the draw."""
    own, other = card(*[12.0] * 9, 1.0), card(*[11.0] * 9, 18.0)
    assert own.figure < 0.98 * other.figure
    rule = Gate(champion_ratio=1.0, confidence=0.8)
    assert failed(judged(own, champion=other, rule=rule)) == ["error against turbofan-rul/3"]


@pytest.mark.parametrize("machines", [4, 40, 400, 1000])
def test_a_difference_too_small_to_matter_refuses_nobody_on_however_many_machines(machines: int) -> None:
    """One percent worse, certainly: with enough machines any test of significance would find it."""
    rng = np.random.default_rng(4)
    errors = rng.uniform(9, 11, machines)
    assert judged(card(*errors * 1.01), champion=card(*errors)).passed
    assert not judged(card(*errors * 1.10), champion=card(*errors)).passed


@pytest.mark.parametrize("machines", [5, 40, 200])
def test_chance_of_refusing_an_equal_does_not_grow_with_the_machines(machines: int) -> None:
    """Candidate and champion err alike, independently: by noise alone few are refused, ever fewer."""
    rng = np.random.default_rng(machines)
    refused = 0
    for _ in range(20):
        own, other = rng.uniform(8, 12, (2, machines))
        refused += bool(failed(judged(card(*own), champion=card(*other))))
    assert refused / 20 <= {5: 0.9, 40: 0.4, 200: 0.0}[machines]


@pytest.mark.parametrize(("machines", "ratio", "true"), [(2, 0.9, 1.0), (3, 0.9, 0.9), (3, 1.05, 1.3)])
def test_luck_passes_hardly_more_often_than_the_confidence_leaves_room_for(
    machines: int, ratio: float, true: float
) -> None:
    """Plain draws would pass a third of those that are just not good enough."""
    rng, passed = np.random.default_rng(6), 0
    for _ in range(200):
        hard, own, other = rng.normal(0, 0.3, (3, machines))
        found = pair(card(*true * np.exp(hard + own)), card(*np.exp(hard + other)), ratio)
        passed += found.chance >= Gate().confidence
    assert passed / 200 <= 0.15


def test_rates_closer_than_half_a_percent_point_are_the_same() -> None:
    champion = card(*[0.001] * 5, measure=RATE)
    assert judged(card(*[0.004] * 5, measure=RATE), champion=champion, trivial=0.5).passed
    assert not judged(card(*[0.02] * 5, measure=RATE), champion=champion, trivial=0.5).passed


def test_champion_is_compared_only_on_machines_that_it_has_not_learnt_from() -> None:
    unfair = card(1, 1, 20)
    assert not judged(card(10, 12, 14), champion=unfair).passed
    assert judged(card(10, 12, 14), champion=unfair.only(["m2"])).passed


def test_a_site_served_worse_than_by_the_champion_refuses_a_candidate_that_is_better_on_the_whole() -> None:
    own = sliced(card(*[8.0] * 12), lyon=[14.0] * 6, oslo=[8.0] * 6)
    champion = sliced(card(*[10.0] * 12), lyon=[10.0] * 6, oslo=[10.0] * 6)
    verdict = judged(own, champion=champion)
    assert failed(verdict) == ["sites and conditions against turbofan-rul/3"]
    assert "got lyon: 14 against 10" in verdict.reason
    rows = {row["name"]: row for row in verdict.evidence["slices"]}
    assert (rows["lyon"]["own"], rows["lyon"]["champion"], rows["lyon"]["judged"]) == (14.0, 10.0, True)


def test_a_slice_of_too_few_machines_is_shown_and_not_judged() -> None:
    own = sliced(card(*[8.0] * 12), lyon=[14.0] * 4)
    verdict = judged(own, champion=sliced(card(*[10.0] * 12), lyon=[10.0] * 4))
    assert verdict.passed
    (row,) = verdict.evidence["slices"]
    assert (row["own"], row["champion"], row["judged"]) == (14.0, 10.0, False)


def test_one_answer_that_is_no_answer_is_refused() -> None:
    verdict = judged(card(10, 12, 14, unsound=0.001))
    assert not verdict.passed
    assert "sound answers: expected every one, got 99.9%" in verdict.reason


def test_interval_that_does_not_hold_its_promise_is_refused() -> None:
    assert not judged(card(*[10.0] * 30, covered=0.75)).passed
    assert judged(card(*[10.0] * 30, covered=0.85)).passed  # 30 machines may deviate by so much


def test_slow_or_large_candidate_is_refused() -> None:
    slow = judged(card(10, 12), price=Price(latency_ms=9.0, bytes=742_534))
    assert slow.reason == "latency of one prediction: expected <= 5 ms, got 9 ms"
    assert next(check.found for check in slow.checks if check.name == "size") == "742.5 kB"
    large = judged(card(10, 12), price=Price(latency_ms=0.1, bytes=1 << 30))
    assert large.reason == "size: expected <= 16.78 MB, got 1.074 GB"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (wording.figure(12.345), "12.35"),
        (wording.figure(9999.4), "9999"),
        (wording.figure(9999.6), "10,000"),
        (wording.figure(-123_456.7), "-123,457"),
        (wording.figure(0.00123), "0.00123"),
        (wording.size(999), "999 bytes"),
        (wording.size(999_999), "1 MB"),
        (wording.size(5e15), "5000 TB"),
        (wording.share(0.3125), "31.25 %"),
    ],
)
def test_a_reason_gives_figures_as_a_person_would_write_them(told: str, words: str) -> None:
    assert told == words


def test_single_held_out_machine_judges_nobody() -> None:
    assert "held-out machines: expected >= 2, got 1" in judged(card(10)).reason


def counted(*, false_alarms: int, cost: float) -> AlarmFigures:
    return AlarmFigures(
        machines=10,
        months=10.0,
        failures=5,
        caught=5,
        late=0,
        false_alarms=false_alarms,
        false_per_month=false_alarms / 10,
        lead=(1.0, 2.0, 3.0),
        lead_share=(0.1, 0.2, 0.3),
        cost_per_month=cost,
    )


def alarmed(
    *, false_alarms: int, cost: float, limit: float | None = 0.2, across_folds: int = 0
) -> AlarmTrial:
    chosen = Alarm(
        output="anomaly", direction="above", policy="cost", thresholds=(1.0,), most_false_alarms=limit
    )
    return AlarmTrial(
        figures=counted(false_alarms=false_alarms, cost=cost),
        crossed=counted(false_alarms=across_folds, cost=cost),
        never_alarming=500.0,
        renewing_by_age=400.0,
        renewal_age=100.0,
        unit="h",
        currency="EUR",
        declared=(chosen,),
    )


def test_alarms_are_refused_for_what_is_proved_against_them() -> None:
    """Three in ten machine-months prove 0.08 a month, seven prove 0.33; five prove 0.197 and are too many."""
    assert least_rate(3, 10.0) == pytest.approx(0.0818, abs=1e-4)
    assert judged(card(10, 12), alarms=alarmed(false_alarms=3, cost=100.0)).passed
    assert failed(judged(card(10, 12), alarms=alarmed(false_alarms=7, cost=100.0))) == ["false alarms"]
    assert least_rate(5, 10.0) < 0.2
    assert failed(judged(card(10, 12), alarms=alarmed(false_alarms=5, cost=100.0))) == ["false alarms"]
    assert judged(card(10, 12), alarms=alarmed(false_alarms=0, cost=100.0, across_folds=7)).passed
    assert failed(judged(card(10, 12), alarms=alarmed(false_alarms=0, cost=501.0))) == ["cost of alarms"]
    assert judged(card(10, 12), alarms=alarmed(false_alarms=70, cost=100.0, limit=None)).passed


def test_verdict_is_plain_values_with_its_evidence() -> None:
    verdict = judged(card(10, 12, 14), champion=card(20, 20, 20), alarms=alarmed(false_alarms=0, cost=100.0))
    told = json.loads(json.dumps(verdict.to_fields(), allow_nan=False))
    evidence = told["evidence"]
    assert evidence["machines"] == ["m0", "m1", "m2"]
    assert evidence["figure"] == {"name": "RMSE", "value": pytest.approx(12.11, abs=0.01), "unit": "h"}
    assert evidence["rmse"] == evidence["figure"]["value"]
    assert [pair["rival"] for pair in evidence["paired"]] == ["mean remaining life", "turbofan-rul/3"]
    assert evidence["paired"][1]["machines_better"] == 3
    assert evidence["paired"][1]["chance_better"] > 0.98
    assert evidence["paired"][1]["ratio"][0] <= 12.11 / 20 <= evidence["paired"][1]["ratio"][1]
    assert evidence["alarms"]["caught"] == 5
    assert all(check["passed"] for check in told["checks"])


errors = st.lists(st.floats(0.5, 100), min_size=2, max_size=12)


@settings(max_examples=30)
@given(errors)
def test_same_cards_give_the_same_verdict(values: list[float]) -> None:
    assert judged(card(*values)) == judged(card(*values))


@settings(max_examples=30)
@given(errors, st.floats(1.0, 3.0))
def test_getting_worse_on_every_machine_never_helps(values: list[float], factor: float) -> None:
    better, worse = judged(card(*values)), judged(card(*(value * factor for value in values)))
    assert better.passed or not worse.passed


@settings(max_examples=30)
@given(errors)
def test_who_is_better_everywhere_is_likelier_so_and_surely_where_by_as_much(values: list[float]) -> None:
    own, other = card(*values), card(*(value + 1 for value in values))
    assert pair(own, other, 1.0).chance_better > 0.5 > pair(other, own, 1.0).chance_better
    other = card(*(2 * value for value in values))
    assert (pair(own, other, 1.0).chance_better, pair(other, own, 1.0).chance_better) == (1.0, 0.0)


def test_reason_names_every_check_that_failed() -> None:
    verdict = judged(card(50, 50, unsound=0.5, covered=0.1))
    assert failed(verdict) == [
        "sound answers",
        "error against mean remaining life",
        "coverage of the interval",
    ]
    assert verdict.reason.count(";") == 2


def test_baselines_alone_judge_the_first_model() -> None:
    with pytest.raises(ValueError, match="empty"):
        judge(card(1, 1), (), None, price=CHEAP, rule=Gate(), interval=Coverage())
