"""What a device remembers of one use case's updates: enough to go on after any crash."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from edge_agent.updates.deferral import Deferral
from edge_agent.updates.states import State
from wire.directive import Accepted, Directive

FAILURES_KEPT = 32
PROVEN_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A release in a slot."""

    slot: str
    release: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a directive ended that did not lead to its release."""

    release: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One use case: the directive being followed, and which slots hold what."""

    use_case: str
    state: State = State.IDLE
    since_us: int = 0  # when it came into this state
    directive: Directive | None = None  # the last one accepted
    accepted: Accepted | None = None
    good: Held | None = None  # proved itself; what runs outside of probation
    before: Held | None = None  # proved itself earlier, if its slot was not used since
    trial: Held | None = None  # on its way in: installing, deferred, or on probation
    deferral: Deferral | None = None  # what a deferred update waits for
    restarts: int = 0  # during this probation, orderly stops not counted
    parting: str = ""  # how the agent last said goodbye: "orderly", "crash", or nothing
    reason: str = ""  # of the last change
    failures: Mapping[int, Failure] = field(default_factory=dict)  # by directive sequence
    proven: tuple[str, ...] = ()  # SHA-256 of the bundles that passed probation here, newest last

    @property
    def running(self) -> Held | None:
        """What the current slot must be."""
        return self.trial if self.state is State.PROBATION else self.good

    @property
    def sequence(self) -> int:
        return self.accepted.sequence if self.accepted else 0

    def failed(self, reason: str) -> Self:
        """With the directive's failure remembered, so that nothing tries it again."""
        failure = Failure(release=self.directive.release if self.directive else "", reason=reason)
        kept = dict(sorted((dict(self.failures) | {self.sequence: failure}).items())[-FAILURES_KEPT:])
        return replace(self, failures=kept)

    def proved(self, held: Held) -> tuple[str, ...]:
        """``proven`` with the release in ``held``."""
        return (*(sha256 for sha256 in self.proven if sha256 != held.sha256), held.sha256)[-PROVEN_KEPT:]

    def failure_of(self, release: str) -> tuple[int, Failure] | None:
        """The newest directive for ``release`` that failed here, and how."""
        found = [(sequence, each) for sequence, each in self.failures.items() if each.release == release]
        return max(found, key=lambda item: item[0], default=None)

    def to_fields(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """What an older agent did not write is as if it had not happened."""
        directive = fields["directive"]
        accepted = fields["accepted"]
        deferral = fields.get("deferral")
        good, before = _held(fields["good"]), _held(fields["before"])
        return cls(
            use_case=str(fields["use_case"]),
            state=State(fields["state"]),
            since_us=int(fields.get("since_us", 0)),
            directive=Directive.from_json(json.dumps(directive).encode()) if directive else None,
            accepted=Accepted(**accepted) if accepted else None,
            good=good,
            before=before,
            trial=_held(fields["trial"]),
            deferral=Deferral(**deferral) if deferral else None,
            restarts=int(fields["restarts"]),
            parting=str(fields["parting"]),
            reason=str(fields["reason"]),
            failures={int(sequence): _failure(each) for sequence, each in fields["failures"].items()},
            proven=tuple(fields.get("proven", [held.sha256 for held in (before, good) if held])),
        )


def _held(fields: Mapping[str, Any] | None) -> Held | None:
    if fields is None:
        return None
    return Held(slot=fields["slot"], release=fields["release"], sha256=fields["sha256"])


def _failure(fields: Mapping[str, Any] | str) -> Failure:
    if isinstance(fields, str):  # an older agent kept the reason alone
        return Failure(release="", reason=fields)
    return Failure(release=fields["release"], reason=fields["reason"])
