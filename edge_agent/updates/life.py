"""One use case's record as it moves through the table of states, each move with its report."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge_agent.updates.deferral import Deferral
from edge_agent.updates.journal import Journal
from edge_agent.updates.record import Record
from edge_agent.updates.states import Event, State, advance
from wire.batch import ReportEvent
from wire.clock import Clock


class Life:
    """The only writer of its use case's record."""

    def __init__(self, use_case: str, journal: Journal, clock: Clock) -> None:
        self.use_case = use_case
        self._journal = journal
        self._clock = clock

    @property
    def record(self) -> Record:
        return self._journal.record(self.use_case)

    def move(
        self,
        event: Event,
        reason: str = "",
        evidence: Mapping[str, Any] | None = None,
        *,
        deferral: Deferral | None = None,
        **changes: Any,  # of the record's fields
    ) -> None:
        """Journal the state that follows ``event``, with what changes and the report of it."""
        record, now_us = self.record, self._clock.now_us()
        state = advance(record.state, event)
        since_us = record.since_us if state is record.state else now_us
        after = replace(record, state=state, since_us=since_us, reason=reason, deferral=deferral, **changes)
        if state in (State.REFUSED, State.FAILED, State.ROLLED_BACK):
            after = after.failed(reason)
        told = dict(evidence or {}) | {"before": record.good.release if record.good else ""}
        self._journal.put(after, self._report(after, event, reason, told))

    def defer(self, deferral: Deferral) -> None:
        """Wait, and say for what; silent while it is the same as before."""
        known = self.record.deferral
        if known is None or known.waits_for != deferral.waits_for:
            evidence = {"waits_for": deferral.waits_for, "until": deferral.until, **deferral.evidence}
            self.move(Event.DEFERRED, deferral.reason, evidence, deferral=deferral)

    def say(self, event: str, reason: str) -> None:
        """Report something that moves nothing, and keep it as the reason why nothing moves."""
        after = replace(self.record, reason=reason)
        self._journal.put(after, self._report(after, event, reason, {}))

    def note(self, **changes: Any) -> None:
        """Journal a change nobody needs to hear of."""
        self._journal.put(replace(self.record, **changes))

    def _report(self, record: Record, event: str, reason: str, evidence: Mapping[str, Any]) -> ReportEvent:
        directive = record.directive
        running = record.running
        return ReportEvent(
            time_us=self._clock.now_us(),
            use_case=self.use_case,
            directive_sequence=record.sequence,
            state=str(record.state),
            event=str(event),
            reason=reason,
            release=directive.release if directive else "",
            rollout=directive.rollout if directive else "",
            correlation=directive.correlation if directive else "",
            evidence=dict(evidence) | {"running": running.release if running else ""},
        )
