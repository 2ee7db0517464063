"""The table of states, asked what must hold whatever it looks like."""

from itertools import product

import pytest

from edge_agent.updates.states import FINAL, RESTING, TRANSITIONS, Event, State, TransitionError, advance


@pytest.mark.parametrize("state", State)
def test_power_loss_is_survivable_in_every_state(state):
    assert Event.RESTARTED in TRANSITIONS[state]


@pytest.mark.parametrize("state", State)
def test_every_state_leads_to_an_end_and_from_there_to_the_next_update(state):
    reached, frontier = {state}, [state]
    while frontier:
        for following in TRANSITIONS[frontier.pop()].values():
            if following not in reached:
                reached.add(following)
                frontier.append(following)
    assert reached & FINAL
    assert State.ACCEPTED in reached


def test_only_a_healthy_probation_or_what_ran_already_is_committed():
    ways = {
        (state, event)
        for state, event in product(State, Event)
        if TRANSITIONS[state].get(event) is State.COMMITTED and state is not State.COMMITTED
    }
    assert ways == {(State.PROBATION, Event.HEALTHY), (State.ACCEPTED, Event.PRESENT)}


def test_nothing_but_an_installed_bundle_gets_onto_probation():
    ways = {state for state in State if State.PROBATION in TRANSITIONS[state].values()}
    assert ways == {State.INSTALLING, State.DEFERRED, State.PROBATION}


@pytest.mark.parametrize("state", sorted(RESTING))
def test_a_resting_state_only_leaves_for_a_directive_or_a_damaged_slot(state):
    leaving = {event for event, after in TRANSITIONS[state].items() if after is not state}
    assert leaving <= {Event.OFFERED, Event.DAMAGED}


@pytest.mark.parametrize(("state", "event"), [*product(State, Event)])
def test_events_outside_the_table_are_refused(state, event):
    if event in TRANSITIONS[state]:
        assert advance(state, event) in State
    else:
        with pytest.raises(TransitionError, match=f"{event} is not expected while {state}"):
            advance(state, event)


@pytest.mark.parametrize(
    ("event", "after"),
    [
        (Event.INSTALLED, State.PROBATION),
        (Event.DEFERRED, State.DEFERRED),
        (Event.RESTARTED, State.DEFERRED),
        (Event.SUPERSEDED, State.FAILED),
        (Event.REFUSED, State.REFUSED),
        (Event.FAILED, State.FAILED),
        (Event.DAMAGED, State.INSTALLING),
    ],
)
def test_a_deferred_update_has_an_answer_to_everything_that_may_happen_meanwhile(event, after):
    assert advance(State.DEFERRED, event) is after


def test_only_an_update_that_lies_in_its_slot_is_deferred():
    ways = {state for state in State if TRANSITIONS[state].get(Event.DEFERRED) is State.DEFERRED}
    assert ways == {State.INSTALLING, State.DEFERRED}
