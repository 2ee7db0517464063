"""The policy against random fleets: what it must never do, whatever devices report and in whatever order."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import plan

from cloud_hub.rollout.plan import Silent
from cloud_hub.rollout.policy import HOUR_US, Standing, Verdict, decide, tally
from cloud_hub.rollout.states import COMMITTED, FAILED, OFFERED, REFUSED, ROLLED_BACK, SILENT, WAITING

FATES = [COMMITTED, COMMITTED, COMMITTED, ROLLED_BACK, REFUSED, FAILED, "probation", OFFERED]
plans = st.builds(
    plan,
    waves=st.sampled_from([("1", "50%", "100%"), ("100%",), ("2", "100%"), ("10%", "30%", "100%")]),
    tolerated=st.sampled_from([0.0, 0.1, 0.5]),
    soak_hours=st.sampled_from([0.0, 3.0]),
    timeout_hours=st.just(10.0),
    silent=st.sampled_from(Silent),
)
fates = st.lists(st.sampled_from(FATES), min_size=1, max_size=12)


def standing(wave, *states, since_us=0, offered_us=0):
    return [
        Standing(device=100 * wave + i, wave=wave, state=state, since_us=since_us, offered_us=offered_us)
        for i, state in enumerate(states)
    ]


class Trial:
    """A rollout played to its end: each device, once offered, comes to its fate in its own time."""

    def __init__(self, made, fate_of, order):
        self.plan, self.fates, self.order = made, dict(enumerate(fate_of)), order
        waves = made.assign(list(self.fates))
        self.devices = {d: Standing(device=d, wave=w, state=WAITING) for d, w in waves.items()}
        self.wave, self.now, self.verdict = 0, 0, Verdict.WAIT
        self.offered, self.history = set(), []

    def set(self, device, state):
        kept = self.devices[device]
        self.devices[device] = dataclasses.replace(kept, state=state, since_us=self.now)

    def play(self):
        for _ in range(500):
            decision = decide(self.plan, self.devices.values(), wave=self.wave, now_us=self.now)
            for device in decision.silent:
                self.set(device, SILENT)
            for device in decision.offer:
                self.set(device, OFFERED)
                self.devices[device] = dataclasses.replace(self.devices[device], offered_us=self.now)
                self.offered.add(device)
            self.wave, self.verdict = decision.wave, decision.verdict
            self.history.append(decision)
            self.check()
            if self.verdict in (Verdict.HALT, Verdict.DONE):
                return self
            self.advance()
        raise AssertionError("this rollout never ends")

    def advance(self):
        self.now += HOUR_US
        under_way = [
            d for d in self.order if self.devices.get(d) and self.devices[d].state in (OFFERED, "probation")
        ]
        for device in under_way[:2]:
            self.set(device, self.fates[device])

    def check(self):
        assert self.offered <= {d for d, item in self.devices.items() if item.wave <= self.wave}


@given(made=plans, fate_of=fates, seed=st.integers(0, 99))
def test_no_more_devices_are_offered_than_the_open_waves_hold_and_every_rollout_ends(made, fate_of, seed):
    order = list(range(len(fate_of)))
    random.Random(seed).shuffle(order)
    Trial(made, fate_of, order).play()


@given(made=plans, fate_of=fates)
def test_a_wave_over_its_threshold_never_opens_the_next(made, fate_of):
    trial = Trial(made, fate_of, range(len(fate_of))).play()
    for number in range(1, trial.wave):
        counted = tally(made, trial.devices.values(), number)
        assert counted.failed <= (counted.size - counted.skipped) * made.tolerated
        assert counted.committed > 0


@given(made=plans, fate_of=fates, seed=st.integers(0, 99))
def test_the_order_in_which_devices_are_listed_decides_nothing(made, fate_of, seed):
    waves = made.assign(list(range(len(fate_of))))
    items = [Standing(device=d, wave=w, state=fate_of[d]) for d, w in waves.items()]
    shuffled = items.copy()
    random.Random(seed).shuffle(shuffled)
    last = max(waves.values())
    one, other = (decide(made, each, wave=last, now_us=HOUR_US) for each in (items, shuffled))
    assert (one.verdict, one.reason, one.silent) == (other.verdict, other.reason, other.silent)


@given(made=plans, fate_of=fates, seed=st.integers(0, 99))
def test_arrival_order_within_the_timeout_does_not_change_how_a_rollout_ends(made, fate_of, seed):
    fate_of = [fate if fate not in ("probation", OFFERED) else COMMITTED for fate in fate_of]
    made = dataclasses.replace(made, timeout_hours=100.0)
    order = list(range(len(fate_of)))
    straight = Trial(made, fate_of, order).play()
    random.Random(seed).shuffle(order)
    shuffled = Trial(made, fate_of, order).play()
    assert (straight.verdict, straight.wave, straight.offered) == (
        shuffled.verdict,
        shuffled.wave,
        shuffled.offered,
    )


@given(made=plans, fate_of=fates)
def test_deciding_twice_about_the_same_facts_says_the_same(made, fate_of):
    items = [
        Standing(device=d, wave=w, state=fate_of[d]) for d, w in made.assign(range(len(fate_of))).items()
    ]
    assert decide(made, items, wave=1, now_us=5) == decide(made, items, wave=1, now_us=5)


def test_one_bad_canary_halts_the_rollout():
    decision = decide(plan(), standing(1, ROLLED_BACK) + standing(2, WAITING), wave=1, now_us=0)
    assert decision.verdict is Verdict.HALT
    assert decision.reason == "wave 1: 0 of 1 committed, 1 failed; tolerated is 0% of a wave"
    assert decision.offer == ()


@pytest.mark.parametrize("state", [OFFERED, "downloading", "probation"])
def test_what_is_not_committed_yet_is_no_success(state):
    decision = decide(plan(), standing(1, state) + standing(2, WAITING), wave=1, now_us=0)
    assert decision.verdict is Verdict.WAIT


def test_healthy_older_waves_do_not_dilute_a_sick_new_one():
    devices = standing(1, *[COMMITTED] * 98) + standing(2, ROLLED_BACK, COMMITTED)
    assert decide(plan(tolerated=0.2), devices, wave=2, now_us=0).verdict is Verdict.HALT


def test_failures_halt_before_the_rest_of_the_wave_has_answered():
    devices = standing(1, FAILED, OFFERED, OFFERED)
    assert decide(plan(tolerated=0.1), devices, wave=1, now_us=0).verdict is Verdict.HALT


def test_tolerated_failures_let_the_next_wave_open():
    devices = standing(1, FAILED, COMMITTED, COMMITTED, COMMITTED) + standing(2, WAITING)
    decision = decide(plan(tolerated=0.25), devices, wave=1, now_us=0)
    assert (decision.verdict, decision.wave, decision.offer) == (Verdict.WIDEN, 2, (200,))


def test_a_wave_soaks_before_the_next_one_opens():
    devices = standing(1, COMMITTED, since_us=HOUR_US) + standing(2, WAITING)
    made = plan(soak_hours=2)
    assert decide(made, devices, wave=1, now_us=HOUR_US * 3 - 1).verdict is Verdict.WAIT
    assert decide(made, devices, wave=1, now_us=HOUR_US * 3).verdict is Verdict.WIDEN


def test_a_failure_while_soaking_halts():
    devices = standing(1, ROLLED_BACK, since_us=HOUR_US) + standing(2, WAITING)
    assert decide(plan(soak_hours=2), devices, wave=1, now_us=HOUR_US * 2).verdict is Verdict.HALT


def test_a_silent_device_counts_as_a_failure_unless_the_plan_skips_it():
    devices = standing(1, COMMITTED, OFFERED) + standing(2, WAITING)
    late = 25 * HOUR_US
    failed = decide(plan(), devices, wave=1, now_us=late)
    skipped = decide(plan(silent=Silent.SKIP), devices, wave=1, now_us=late)
    assert (failed.verdict, failed.silent) == (Verdict.HALT, (101,))
    assert (skipped.verdict, skipped.silent) == (Verdict.WIDEN, (101,))


def test_a_wave_of_silence_proves_nothing():
    devices = standing(1, OFFERED) + standing(2, WAITING)
    decision = decide(plan(silent=Silent.SKIP), devices, wave=1, now_us=25 * HOUR_US)
    assert decision.verdict is Verdict.HALT
    assert "without a commit it proves nothing" in decision.reason


def test_a_silent_last_wave_may_be_skipped_where_earlier_ones_proved_the_release():
    devices = standing(1, COMMITTED) + standing(2, SILENT)
    assert decide(plan(silent=Silent.SKIP), devices, wave=2, now_us=0).verdict is Verdict.DONE
