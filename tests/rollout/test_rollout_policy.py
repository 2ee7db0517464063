"""The policy against random fleets: what it must never do, whatever devices report and in whatever order."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import plan

from cloud_hub.rollout.plan import Silent
from cloud_hub.rollout.policy import HOUR_US, Group, Opened, Verdict, decide, joining_wave, tally
from cloud_hub.rollout.states import (
    COMMITTED,
    DEFERRED,
    FAILED,
    OFFERED,
    REFUSED,
    ROLLED_BACK,
    SETTLED,
    SILENT,
    WAITING,
    WITHDRAWN,
)

TIMEOUT_US = 10 * HOUR_US
FATES = [COMMITTED, COMMITTED, COMMITTED, ROLLED_BACK, REFUSED, FAILED, "probation", WITHDRAWN, OFFERED]
plans = st.builds(
    plan,
    waves=st.sampled_from([("1", "50%", "100%"), ("100%",), ("2", "100%"), ("10%", "30%", "100%")]),
    tolerated=st.sampled_from([0.0, 0.1, 0.5]),
    succeed=st.sampled_from([None, 0.25, 0.5]),
    soak_hours=st.sampled_from([0.0, 3.0]),
    silent=st.sampled_from(Silent),
    at_once=st.sampled_from([None, 1, 3]),
)
fates = st.lists(st.sampled_from(FATES), min_size=1, max_size=12)


def standing(wave, *states):
    return [Group(wave=wave, state=state) for state in states]


def judged(made, groups, *, wave, now_us=0, **opened):
    return decide(made, groups, Opened(wave=wave, **opened), now_us=now_us)


class Trial:
    """A rollout played to its end: each device, once offered, comes to its fate in its own time, or is silent."""

    def __init__(self, made, fate_of, order, approvals=()):
        self.plan, self.fates, self.order = made, dict(enumerate(fate_of)), order
        self.waves = made.assign(list(self.fates))
        self.states = dict.fromkeys(self.waves, WAITING)
        self.offered_us, self.now = {}, 0
        self.opened = Opened(approvals=approvals)
        self.history, self.passed = [], []

    @property
    def groups(self):
        return [Group(wave=self.waves[device], state=state) for device, state in self.states.items()]

    def play(self):
        for _ in range(500):
            for device, since in self.offered_us.items():
                if self.states[device] not in SETTLED and self.now - since >= TIMEOUT_US:
                    self.states[device] = SILENT
            decision = decide(self.plan, self.groups, self.opened, now_us=self.now)
            if decision.verdict is Verdict.WIDEN and self.opened.wave:
                self.passed.append(tally(self.plan, self.groups, self.opened.wave))
            self.carry_out(decision)
            self.history.append(decision)
            self.check(decision)
            if decision.verdict in (Verdict.HALT, Verdict.DONE):
                return self
            self.advance(decision)
        raise AssertionError("this rollout never ends")

    def carry_out(self, decision):
        waiting = [
            d for d, state in self.states.items() if state == WAITING and self.waves[d] <= decision.wave
        ]
        assert decision.room <= len(waiting)
        for device in waiting[: decision.room]:
            self.states[device], self.offered_us[device] = OFFERED, self.now
        changes = {"wave": decision.wave, "passed_us": decision.passed_us}
        self.opened = dataclasses.replace(self.opened, **changes)

    def advance(self, decision):
        self.now += HOUR_US
        if decision.verdict is Verdict.AWAIT:
            self.opened = dataclasses.replace(self.opened, approved=decision.wave + 1)
        under_way = [d for d in self.order if self.states.get(d) in (OFFERED, "probation")]
        for device in under_way[:2]:
            self.states[device] = self.fates[device]

    def check(self, decision):
        assert {*self.offered_us} <= {d for d, wave in self.waves.items() if wave <= decision.wave}
        under_way = [d for d in self.offered_us if self.states[d] not in SETTLED]
        assert self.plan.at_once is None or len(under_way) <= self.plan.at_once
        unapproved = [wave for wave in self.opened.approvals if wave > self.opened.approved]
        assert decision.wave < min(unapproved, default=decision.wave + 1)


@given(made=plans, fate_of=fates, seed=st.integers(0, 99), approvals=st.sets(st.integers(1, 3)))
def test_no_more_devices_are_offered_than_waves_cap_and_people_allow_and_every_rollout_ends(
    made, fate_of, seed, approvals
):
    order = list(range(len(fate_of)))
    random.Random(seed).shuffle(order)
    Trial(made, fate_of, order, tuple(approvals)).play()


@given(made=plans, fate_of=fates)
def test_a_wave_over_its_error_or_under_its_success_threshold_never_opens_the_next(made, fate_of):
    for counted in Trial(made, fate_of, range(len(fate_of))).play().passed:
        assert counted.failed <= (counted.size - counted.skipped) * made.tolerated
        assert counted.committed > 0
        assert counted.committed >= (made.succeed or 0) * (counted.size - counted.withdrawn)
        assert made.succeed is not None or counted.open == 0


@given(made=plans, fate_of=fates, seed=st.integers(0, 99))
def test_the_order_in_which_devices_are_listed_and_how_they_are_grouped_decides_nothing(made, fate_of, seed):
    waves = made.assign(list(range(len(fate_of))))
    single = [Group(wave=w, state=fate_of[d]) for d, w in waves.items()]
    random.Random(seed).shuffle(single)
    kinds = {(each.wave, each.state) for each in single}
    grouped = [Group(wave=w, state=s, devices=single.count(Group(wave=w, state=s))) for w, s in sorted(kinds)]
    last = max(waves.values())
    assert judged(made, single, wave=last) == judged(made, grouped, wave=last)


@given(made=plans, fate_of=fates, seed=st.integers(0, 99))
def test_arrival_order_within_the_timeout_does_not_change_how_a_rollout_ends(made, fate_of, seed):
    fate_of = [fate if fate not in ("probation", OFFERED) else COMMITTED for fate in fate_of]
    made = dataclasses.replace(made, succeed=None, at_once=None)
    order = list(range(len(fate_of)))
    straight = Trial(made, fate_of, order).play()
    random.Random(seed).shuffle(order)
    shuffled = Trial(made, fate_of, order).play()
    assert (straight.history[-1].verdict, straight.opened.wave, {*straight.offered_us}) == (
        shuffled.history[-1].verdict,
        shuffled.opened.wave,
        {*shuffled.offered_us},
    )


def test_one_bad_canary_halts_the_rollout():
    decision = judged(plan(), standing(1, ROLLED_BACK) + standing(2, WAITING), wave=1)
    assert decision.verdict is Verdict.HALT
    assert decision.reason == "wave 1: 0 of 1 committed, 1 failed; tolerated is 0% of a wave"
    assert decision.room == 0


@pytest.mark.parametrize("state", [OFFERED, "downloading", DEFERRED, "probation"])
def test_what_is_not_committed_yet_is_no_success(state):
    decision = judged(plan(succeed=0.5), standing(1, state) + standing(2, WAITING), wave=1)
    assert decision.verdict is Verdict.WAIT


def test_healthy_older_waves_do_not_dilute_a_sick_new_one():
    devices = standing(1, *[COMMITTED] * 98) + standing(2, ROLLED_BACK, COMMITTED)
    assert judged(plan(tolerated=0.2), devices, wave=2).verdict is Verdict.HALT


def test_failures_halt_before_the_rest_of_the_wave_has_answered():
    devices = standing(1, FAILED, OFFERED, OFFERED)
    assert judged(plan(tolerated=0.1), devices, wave=1).verdict is Verdict.HALT


def test_tolerated_failures_let_the_next_wave_open():
    devices = standing(1, FAILED, COMMITTED, COMMITTED, COMMITTED) + standing(2, WAITING)
    decision = judged(plan(tolerated=0.25), devices, wave=1)
    assert (decision.verdict, decision.wave, decision.room) == (Verdict.WIDEN, 2, 1)


def test_exactly_as_many_as_are_tolerated_may_fail():
    devices = standing(1, *[FAILED] * 29, *[COMMITTED] * 71) + standing(2, WAITING)
    assert judged(plan(tolerated=0.29), devices, wave=1).verdict is Verdict.WIDEN
    assert judged(plan(tolerated=0.28), devices, wave=1).verdict is Verdict.HALT


def test_a_wave_soaks_before_the_next_one_opens():
    devices = standing(1, COMMITTED) + standing(2, WAITING)
    first = judged(plan(soak_hours=2), devices, wave=1, now_us=HOUR_US)
    assert (first.verdict, first.passed_us) == (Verdict.WAIT, HOUR_US)
    for now_us, verdict in ((HOUR_US * 3 - 1, Verdict.WAIT), (HOUR_US * 3, Verdict.WIDEN)):
        after = judged(plan(soak_hours=2), devices, wave=1, passed_us=HOUR_US, now_us=now_us)
        assert after.verdict is verdict
    assert after.passed_us is None, "the next wave soaks from its own success on"


def test_a_failure_while_soaking_halts():
    devices = standing(1, ROLLED_BACK) + standing(2, WAITING)
    late = judged(plan(soak_hours=2), devices, wave=1, passed_us=HOUR_US, now_us=HOUR_US * 2)
    assert late.verdict is Verdict.HALT


def test_a_silent_device_counts_as_a_failure_unless_the_plan_skips_it():
    devices = standing(1, COMMITTED, SILENT) + standing(2, WAITING)
    assert judged(plan(), devices, wave=1).verdict is Verdict.HALT
    assert judged(plan(silent=Silent.SKIP), devices, wave=1).verdict is Verdict.WIDEN


def test_a_wave_of_silence_proves_nothing():
    decision = judged(plan(silent=Silent.SKIP), standing(1, SILENT) + standing(2, WAITING), wave=1)
    assert decision.verdict is Verdict.HALT
    assert "without a commit it proves nothing" in decision.reason


def test_a_silent_last_wave_may_be_skipped_where_earlier_ones_proved_the_release():
    devices = standing(1, COMMITTED) + standing(2, SILENT)
    assert judged(plan(silent=Silent.SKIP), devices, wave=2).verdict is Verdict.DONE


def test_neither_threshold_matched_opens_no_wave():
    """hawkbit#3110: not enough failed to halt, not enough succeeded to go on, and it went on."""
    made = plan(silent=Silent.SKIP, tolerated=0.2, succeed=0.5)
    under_way = standing(1, COMMITTED, SILENT, SILENT, OFFERED) + standing(2, WAITING)
    assert judged(made, under_way, wave=1).verdict is Verdict.WAIT
    answered = standing(1, COMMITTED, SILENT, SILENT, SILENT) + standing(2, WAITING)
    decision = judged(made, answered, wave=1)
    assert decision.verdict is Verdict.HALT
    assert decision.reason.endswith("all have answered, expected 50% of the wave to commit")


def test_a_wave_that_reached_its_success_threshold_does_not_wait_for_the_rest():
    made = plan(succeed=0.75, tolerated=0.25)
    devices = standing(1, COMMITTED, COMMITTED, COMMITTED, "probation") + standing(2, WAITING)
    assert judged(made, devices, wave=1).verdict is Verdict.WIDEN
    assert judged(made, standing(1, *[COMMITTED] * 3, OFFERED), wave=1).verdict is Verdict.WAIT, (
        "after the last wave there is nothing to go on to: all answer"
    )


def test_the_cap_counts_what_is_under_way_in_every_open_wave():
    made = plan(at_once=3)
    devices = standing(1, COMMITTED, "probation") + standing(2, OFFERED, WAITING, WAITING)
    assert judged(made, devices, wave=2).room == 1
    assert judged(made, [*devices, *standing(2, DEFERRED)], wave=2).room == 0


def test_a_wave_that_awaits_approval_opens_once_it_is_approved_and_no_sooner():
    devices = standing(1, COMMITTED) + standing(2, WAITING)
    before = judged(plan(), devices, wave=1, approvals=(2,))
    assert (before.verdict, before.wave, before.room) == (Verdict.AWAIT, 1, 0)
    assert before.reason.startswith("awaits approval of wave 2; wave 1: 1 of 1 committed")
    assert judged(plan(), devices, wave=1, approvals=(2,), approved=2).verdict is Verdict.WIDEN


def test_a_failure_halts_a_rollout_that_awaits_approval():
    devices = standing(1, ROLLED_BACK) + standing(2, WAITING)
    assert judged(plan(), devices, wave=1, passed_us=0, approvals=(2,)).verdict is Verdict.HALT


def test_who_is_late_goes_into_the_last_wave_and_into_none_that_was_passed():
    assert joining_wave(standing(1, OFFERED) + standing(2, WAITING), wave=1) == 2
    assert joining_wave(standing(1, COMMITTED) + standing(2, COMMITTED, OFFERED), wave=2) == 2
    assert joining_wave(standing(1, COMMITTED) + standing(2, COMMITTED, FAILED), wave=2) == 3
