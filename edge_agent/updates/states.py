"""The life of an update on one device, as a table.

    resting -> ACCEPTED -> DOWNLOADING -> VERIFYING -> INSTALLING -> PROBATION -> COMMITTED
                                                            |         ^    |
                                                            DEFERRED -+    |
                   any refusal or failure -> REFUSED, FAILED               |
                                                 ROLLED_BACK <- ROLLING_BACK

This module decides and does nothing; ``installer`` acts and decides nothing.
Power loss is an event in every row, so a crash needs no code of its own. The
names of the states are what a device reports to the hub.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from edge_agent.errors import EdgeError


class State(StrEnum):
    IDLE = "idle"  # nothing was ever asked
    ACCEPTED = "accepted"  # the directive holds; nothing was fetched for it
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"  # the bundle against its directive, this device and its golden inputs
    INSTALLING = "installing"  # writes the spare slot only; the running model is untouched
    DEFERRED = "deferred"  # in the spare slot and ready; this is no moment to switch
    PROBATION = "probation"  # the new model runs, the old one is still one switch away
    ROLLING_BACK = "rolling-back"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled-back"
    REFUSED = "refused"  # it may not run here: wrong, old, expired, tampered with
    FAILED = "failed"  # it could have run here, and did not get there


RESTING = frozenset({State.IDLE, State.COMMITTED, State.ROLLED_BACK, State.REFUSED, State.FAILED})
"""Where nothing goes on: the next directive may start."""

FINAL = RESTING - {State.IDLE}
"""How a directive can end; the last state reported for it is one of these."""


class Event(StrEnum):
    OFFERED = "offered"
    PRESENT = "present"  # what is asked for runs already
    STARTED = "started"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    DEFERRED = "deferred"
    INSTALLED = "installed"  # and switched to
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTORED = "restored"
    REFUSED = "refused"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # a newer directive came
    DAMAGED = "damaged"  # the running slot no longer has the bytes that were installed
    CRASHED = "crashed"  # the agent ended in a way that speaks against the model on probation
    RESTARTED = "restarted"  # power loss, a kill, an orderly stop: the agent comes up again


S, E = State, Event

_START: Mapping[Event, State] = {E.OFFERED: S.ACCEPTED, E.DAMAGED: S.ROLLING_BACK}
_GIVE_UP: Mapping[Event, State] = {E.REFUSED: S.REFUSED, E.FAILED: S.FAILED, E.SUPERSEDED: S.FAILED}

TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        S.IDLE: {E.OFFERED: S.ACCEPTED, E.RESTARTED: S.IDLE},
        S.ACCEPTED: {
            E.STARTED: S.DOWNLOADING,
            E.PRESENT: S.COMMITTED,
            E.RESTARTED: S.ACCEPTED,
            **_GIVE_UP,
        },
        # Every act before the switch is done again from the start: each replaces what it finds.
        S.DOWNLOADING: {E.DOWNLOADED: S.VERIFYING, E.RESTARTED: S.ACCEPTED, **_GIVE_UP},
        S.VERIFYING: {E.VERIFIED: S.INSTALLING, E.RESTARTED: S.ACCEPTED, **_GIVE_UP},
        S.INSTALLING: {
            E.INSTALLED: S.PROBATION,
            E.DEFERRED: S.DEFERRED,
            E.RESTARTED: S.ACCEPTED,
            **_GIVE_UP,
        },
        # What lies in the spare slot is whole and stays, so that a restart, even one every night,
        # costs no second download. A damaged running slot leaves nothing that waiting would protect.
        S.DEFERRED: {
            E.INSTALLED: S.PROBATION,
            E.DEFERRED: S.DEFERRED,
            E.DAMAGED: S.INSTALLING,
            E.RESTARTED: S.DEFERRED,
            **_GIVE_UP,
        },
        # A shift-end power cut must not fail a model; a second restart, or a crash, does.
        S.PROBATION: {
            E.HEALTHY: S.COMMITTED,
            E.UNHEALTHY: S.ROLLING_BACK,
            E.SUPERSEDED: S.ROLLING_BACK,
            E.DAMAGED: S.ROLLING_BACK,
            E.CRASHED: S.ROLLING_BACK,
            E.RESTARTED: S.PROBATION,
        },
        S.ROLLING_BACK: {E.RESTORED: S.ROLLED_BACK, E.RESTARTED: S.ROLLING_BACK},
        S.COMMITTED: {E.RESTARTED: S.COMMITTED, **_START},
        S.ROLLED_BACK: {E.RESTARTED: S.ROLLED_BACK, **_START},
        S.REFUSED: {E.RESTARTED: S.REFUSED, **_START},
        S.FAILED: {E.RESTARTED: S.FAILED, **_START},
    }
)


class TransitionError(EdgeError):
    """An event arrived in a state that has no answer to it."""


def advance(state: State, event: Event) -> State:
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise TransitionError(f"{event} is not expected while {state}") from None
