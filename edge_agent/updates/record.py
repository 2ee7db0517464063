"""What a device remembers of one use case's updates: enough to go on after any crash."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from edge_agent.updates.states import State
from wire.directive import Accepted, Directive

FAILURES_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A release in a slot."""

    slot: str
    release: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One use case: the directive being followed, and which slots hold what."""

    use_case: str
    state: State = State.IDLE
    directive: Directive | None = None  # the last one accepted
    accepted: Accepted | None = None
    good: Held | None = None  # proved itself; what runs outside of probation
    before: Held | None = None  # proved itself earlier, if its slot was not used since
    trial: Held | None = None  # on its way in: installing, or on probation
    restarts: int = 0  # during this probation, orderly stops not counted
    parting: str = ""  # how the agent last said goodbye: "orderly", "crash", or nothing
    reason: str = ""  # of the last change
    failures: Mapping[int, str] = field(default_factory=dict)  # by directive sequence

    @property
    def running(self) -> Held | None:
        """What the current slot must be."""
        return self.trial if self.state is State.PROBATION else self.good

    @property
    def sequence(self) -> int:
        return self.accepted.sequence if self.accepted else 0

    def failed(self, reason: str) -> Self:
        """With the directive's failure remembered, so that nothing tries it again."""
        kept = dict(sorted((dict(self.failures) | {self.sequence: reason}).items())[-FAILURES_KEPT:])
        return replace(self, failures=kept)

    def to_fields(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        directive = fields["directive"]
        accepted = fields["accepted"]
        return cls(
            use_case=str(fields["use_case"]),
            state=State(fields["state"]),
            directive=Directive.from_json(json.dumps(directive).encode()) if directive else None,
            accepted=Accepted(**accepted) if accepted else None,
            good=_held(fields["good"]),
            before=_held(fields["before"]),
            trial=_held(fields["trial"]),
            restarts=int(fields["restarts"]),
            parting=str(fields["parting"]),
            reason=str(fields["reason"]),
            failures={int(sequence): str(why) for sequence, why in fields["failures"].items()},
        )


def _held(fields: Mapping[str, Any] | None) -> Held | None:
    if fields is None:
        return None
    return Held(slot=fields["slot"], release=fields["release"], sha256=fields["sha256"])
