"""Judges the directives that come, and reports those it turns away, each once."""

import time
from collections import deque

import structlog

from edge_agent.identity import Identity
from edge_agent.updates import door
from edge_agent.updates.errors import RetryError, UntrustedError
from edge_agent.updates.journal import Journal
from edge_agent.updates.states import Event, State
from edge_agent.updates.trust import FRESH_S, Trust
from wire.batch import ReportEvent
from wire.clock import Clock, readable
from wire.directive import Directive, Directors, SignedDirective
from wire.errors import SignatureError, WireError

REPORTS, REPORTS_S = 10, 60.0  # refusals told in so many seconds: a flood must not fill the outbox
ASKED_AGAIN_S = 2.0  # a key that is not known may be new: the hub is asked, but not for every forgery

Admitted = tuple[SignedDirective, Directive]

log = structlog.get_logger()


class Doorkeeper:
    def __init__(self, *, identity: Identity, journal: Journal, trust: Trust, clock: Clock) -> None:
        self._identity = identity
        self._journal = journal
        self._trust = trust
        self._clock = clock
        self._seen = door.Seen()
        self._told: deque[float] = deque(maxlen=REPORTS)
        self.turned_away = ""  # the last directive that did not get in, and why, for people

    def judge(self, use_case: str, payload: bytes) -> Admitted | None:
        """The directive to follow; None for a repeat.

        Raises ``WireError`` for one that was turned away (and reported), and
        ``RetryError`` where the hub would have to be asked first.
        """
        if door.repeated(payload, self._journal.record(use_case)):
            return None
        try:
            admitted = self._admitted(use_case, payload)
        except (WireError, UntrustedError) as error:
            self._note(use_case, error)
            self._turn_away(use_case, payload, error)
            raise
        except RetryError as error:
            self._note(use_case, error)
            raise
        if admitted is not None:
            self._journal.raise_floor(admitted[1].issued_us)
        return admitted

    def would_follow(self, use_case: str, payload: bytes) -> bool:
        """Whether it is a newer directive, as far as can be told without asking the hub."""
        directors = self._trust.known_directors
        try:
            return directors is not None and self._admit(use_case, payload, directors) is not None
        except WireError:
            return False

    def _admitted(self, use_case: str, payload: bytes) -> Admitted | None:
        try:
            return self._admit(use_case, payload, self._trust.directors(FRESH_S))
        except SignatureError:
            return self._admit(use_case, payload, self._trust.directors(ASKED_AGAIN_S))

    def _admit(self, use_case: str, payload: bytes, directors: Directors) -> Admitted | None:
        return door.admit(
            payload,
            directors,
            identity=self._identity,
            use_case=use_case,
            record=self._journal.record(use_case),
            now_us=self._clock.now_us(),
            floor_us=self._journal.floor_us,
        )

    def _note(self, use_case: str, error: Exception) -> None:
        when = readable(self._clock.now_us())
        self.turned_away = f"{when} {use_case[:64]!r}: {type(error).__name__}: {error}"

    def _turn_away(self, use_case: str, payload: bytes, error: WireError | UntrustedError) -> None:
        if not self._seen.first(payload) or not self._may_tell():
            return
        log.warning("directive refused", use_case=use_case, reason=str(error))
        record = self._journal.record(use_case)
        directive = door.outcome_of(error, payload, self._identity, record)
        self._journal.say(
            ReportEvent(
                time_us=self._clock.now_us(),
                use_case=use_case[:64],
                directive_sequence=directive.sequence if directive else 0,
                state=str(State.REFUSED),
                event=str(Event.REFUSED),
                reason=f"{type(error).__name__}: {error}",
                release=directive.release if directive else "",
                rollout=directive.rollout if directive else "",
                correlation=directive.correlation if directive else "",
                evidence={"running": record.running.release if record.running else ""},
            )
        )

    def _may_tell(self) -> bool:
        now = time.monotonic()
        if len(self._told) == REPORTS and now - self._told[0] < REPORTS_S:
            return False
        self._told.append(now)
        return True
