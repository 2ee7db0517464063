"""Critical phases, judged by what a real pipeline hears."""

from dataclasses import replace

import pytest
from edge_recorders import USUAL, Bystander
from edge_world import START_US, trend_reading, trend_table

from edge_agent.config import CriticalSettings
from edge_agent.outbox import Outbox
from edge_agent.phases import Phases
from edge_agent.recorder import Recorder
from wire.feed import Hello

SECOND_US = 1_000_000


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self):
        self.time_us = START_US

    def now_us(self):
        return self.time_us


@pytest.fixture
def plant(tmp_path):
    """Makes phases of conditions, heard by a recorder that knows the machines engine-0 and engine-1."""
    outboxes = []

    def make(*conditions, known=True):
        clock = Hands()
        phases = Phases([CriticalSettings(**condition) for condition in conditions], clock)
        outboxes.append(Outbox.open(tmp_path / "outbox.db", max_bytes=1 << 24))
        recorder = Recorder(
            source="press-04",
            outbox=outboxes[-1],
            settings=USUAL,
            clock=clock,
            watcher=Bystander(),
            phases=phases,
        )
        if known:
            recorder.hello(Hello(table=trend_table(), replayable=True))
        return phases, clock, Teller(recorder, clock)

    yield make
    for outbox in outboxes:
        outbox.close()


class Teller:
    """Lets a machine show one value of its first signal, s0."""

    def __init__(self, recorder, clock):
        self.recorder, self.clock, self.position = recorder, clock, 0

    def __call__(self, value, *, machine=0, age_s=0):
        self.position += 1
        shown = trend_reading(2 * self.position + machine)
        when = self.clock.time_us - age_s * SECOND_US
        self.recorder.take(
            replace(shown, position=self.position, time_us=when, values=(value, *shown.values[1:]))
        )


def test_a_machine_is_critical_while_its_newest_value_says_so(plant):
    phases, _, tell = plant({"signal": "s0", "above": 100, "machine": "engine-0"})
    tell(100.5)
    phase = phases.critical()
    assert (phase.reason, phase.evidence) == ("s0 of engine-0 is above 100", {"s0 of engine-0": 100.5})
    tell(100.0)
    assert phases.critical() is None


@pytest.mark.parametrize(
    ("condition", "critical", "calm"),
    [
        ({"below": 5}, (4.9, -3), (5, 8)),
        ({"above": 20, "below": 80}, (20.1, 79.9), (20, 80, 0, 100)),
    ],
)
def test_bounds_are_exclusive_and_two_of_them_mean_between(plant, condition, critical, calm):
    phases, _, tell = plant({"signal": "s0", "machine": "engine-0", **condition})
    for value in critical:
        tell(value)
        assert phases.critical() is not None, value
    for value in calm:
        tell(value)
        assert phases.critical() is None, value


def test_without_a_machine_in_it_a_condition_is_about_every_machine(plant):
    phases, _, tell = plant({"signal": "s0", "above": 100})
    tell(1.0, machine=0)
    tell(101.0, machine=1)
    assert phases.critical().reason == "s0 of engine-1 is above 100"


def test_any_condition_is_enough(plant):
    phases, _, tell = plant(
        {"signal": "s0", "above": 100}, {"signal": "s0", "below": 2, "machine": "engine-1"}
    )
    tell(1.0, machine=0)
    tell(1.0, machine=1)
    assert phases.critical().reason == "s0 of engine-1 is below 2"


def test_an_old_value_says_nothing(plant):
    phases, clock, tell = plant({"signal": "s0", "above": 100, "machine": "engine-0", "fresh_s": 30})
    tell(500.0)
    clock.time_us += 30 * SECOND_US
    assert phases.critical() is not None
    clock.time_us += 1
    assert phases.critical() is None
    tell(500.0, age_s=31)
    assert phases.critical() is None


def test_a_value_that_is_no_number_leaves_the_one_before(plant):
    phases, _, tell = plant({"signal": "s0", "above": 100, "machine": "engine-0"})
    tell(500.0)
    tell(float("nan"))
    assert phases.critical() is not None


def test_before_its_first_value_a_machine_is_taken_for_critical_as_long_as_a_value_is_fresh(plant):
    phases, clock, _ = plant({"signal": "s0", "above": 100, "machine": "engine-0"})
    assert phases.critical().reason == "s0 of engine-0 has not been heard yet"
    clock.time_us += 61 * SECOND_US
    assert phases.critical() is None


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"signal": "sped"}, "no sped of a machine of this device"),
        ({"signal": "s0", "machine": "engine-9"}, "no s0 of machine engine-9 of this device"),
    ],
)
def test_a_signal_that_nobody_has_is_named(plant, condition, reason):
    phases, _, tell = plant({"above": 100, **condition})
    tell(1.0)
    assert phases.critical().unknowable
    assert phases.critical().reason.startswith(reason)


def test_a_condition_that_cannot_be_judged_does_not_hide_one_that_holds(plant):
    phases, _, tell = plant({"signal": "sped", "above": 100}, {"signal": "s0", "above": 100})
    tell(101.0, machine=0)
    assert not phases.critical().unknowable, "an undo would not wait for it"


def test_before_the_source_has_told_its_signals_nothing_can_be_judged(plant):
    phases, _, _ = plant({"signal": "s0", "above": 100}, known=False)
    assert phases.critical().unknowable


def test_when_the_source_tells_other_signals_old_values_are_forgotten(plant):
    phases, _, tell = plant({"signal": "s0", "above": 100, "machine": "engine-0"})
    tell(1.0)
    tell.recorder.hello(Hello(table=trend_table(scalars=4), replayable=True))
    assert phases.critical().reason == "s0 of engine-0 has not been heard yet"


def test_without_conditions_no_machine_is_ever_critical(plant):
    phases, _, tell = plant()
    tell(1e9)
    assert phases.critical() is None
