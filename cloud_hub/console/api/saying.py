"""What people say of a machine: a verdict on an alarm, a failure, maintenance. The same calls as its page."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from cloud_hub.console import reach
from cloud_hub.console.api.asked import Body, Moment, Note, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.here import caller, hub
from cloud_hub.flows import labelling
from cloud_hub.flows.labelling import Saying
from cloud_hub.identity.people.permissions import Permission


class _Said(Body):
    fault: Annotated[Text, Field(description="The class of fault, where its use case tells some apart.")] = ""
    note: Note = ""

    @property
    def saying(self) -> Saying:
        fault, note = (" ".join(text.split()) for text in (self.fault, self.note))
        return Saying(actor=caller().name, fault=fault, note=note)


class Verdict(_Said):
    verdict: Literal["right", "wrong"]


class Event(_Said):
    kind: Literal["failure", "maintenance"]
    time: Annotated[Moment, Field(description="When it happened, with its offset.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``changed``: whether this was news; false where just this verdict stood already."""

    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    machine: str
    kind: str
    time: str


@operation(
    "POST",
    "/machines/<name>/alarms/<int(min=1, max=9223372036854775807):alarm>/verdict",
    Permission.JUDGE,
    of=reach.machine,
)
def judge(name: str, alarm: int, body: Verdict) -> Judged:
    """Say that an alarm was right or wrong.

    A second verdict stands from now on in place of the first, which stays on record.
    """
    return Judged(changed=labelling.judge(hub(), name, alarm, body.verdict, body.saying))


@operation("POST", "/machines/<name>/labels", Permission.LABEL, of=reach.machine, status=201)
def log(name: str, body: Event) -> Logged:
    """Log that a machine failed, or that somebody maintained it."""
    labelling.log(hub(), name, body.kind, body.time, body.saying)
    return Logged(machine=name, kind=body.kind, time=body.time.isoformat())
