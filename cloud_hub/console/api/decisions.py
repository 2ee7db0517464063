"""The chain of decisions: who did what and why, whether it is whole, and the story of one trace.

It tells of every site, so it takes a role that holds at all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Text, WrittenMoment
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.here import hub
from cloud_hub.console.records.audit_pages import chain
from cloud_hub.flows.story import Step, story
from cloud_hub.governance import audit, wording
from cloud_hub.governance import read as decisions
from cloud_hub.governance.read import Wanted
from cloud_hub.identity.people.permissions import Permission

NUMBER = "<int(min=1, max=9223372036854775807):number>"


class DecisionsAsked(Paging):
    actor: Text = ""
    action: Annotated[Text, Field(description="As rollout.start.")] = ""
    subject: Annotated[Text, Field(description="How its name begins.")] = ""
    correlation: Text = ""
    start: Annotated[WrittenMoment | None, Field(alias="from")] = None
    end: Annotated[WrittenMoment | None, Field(alias="to", description="Entries before it.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One entry of the audit chain; ``words`` says in a sentence what it was."""

    id: int
    time: datetime
    actor: str
    action: str
    subject: str
    words: str
    detail: dict[str, Any]
    correlation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTold:
    """How far the chain is known to be whole; keep ``head`` elsewhere, and compare it. Times are real.

    Null in ``broken`` where nothing is; ``under_way``: it is walked now, ask again.
    """

    entries: int
    total: int
    head: str | None
    broken: int | None
    why: str
    looked: datetime | None
    walked_from_first: datetime | None
    seconds: float
    under_way: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTold:
    """One thing that happened, and to what; ``decision`` where it stands in the chain."""

    time: datetime
    kind: str
    name: str
    text: str
    state: str
    decision: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryTold:
    """What one correlation id ties together, in order; ``left_off``: decisions beyond these steps."""

    correlation: str
    steps: tuple[StepTold, ...]
    left_off: int


@operation("GET", "/audit", Permission.AUDIT)
def audit_entries(query: DecisionsAsked) -> Page[Decision]:
    """Who decided what, newest first."""
    database = hub().database
    wanted = Wanted(**dict(query.model_dump(exclude={"page", "size"})))
    found = decisions.page(database, wanted, size=query.size, offset=query.offset)
    return paging.told(query, [_decision(row) for row in found], decisions.count(database, wanted))


@operation("GET", f"/audit/{NUMBER}", Permission.AUDIT)
def audit_entry(number: int) -> Decision:
    """One decision, with everything that was kept of it."""
    with hub().database.transaction() as connection:
        return _decision(audit.one(connection, number))


@operation("GET", "/audit-chain", Permission.AUDIT)
def audit_chain() -> ChainTold:
    """Whether the chain of decisions is whole, as far as it was walked.

    Looking walks what is new; `andon audit verify` walks it all while one waits.
    """
    standing = chain().look()
    found = standing.found
    return ChainTold(
        entries=found.entries if found else 0,
        total=standing.total,
        head=found.head if found else None,
        broken=found.broken if found else None,
        why=found.why if found else "",
        looked=standing.looked,
        walked_from_first=standing.from_first,
        seconds=standing.seconds,
        under_way=standing.under_way,
    )


@operation("GET", "/traces/<correlation>", Permission.AUDIT)
def trace_told(correlation: str) -> StoryTold:
    """From what a trigger saw over the run, its dataset and who approved it to where devices stand."""
    found = story(hub(), correlation)
    steps = tuple(_step(each, found.correlation) for each in found.steps)
    return StoryTold(correlation=found.correlation, steps=steps, left_off=found.left_off)


def _step(step: Step, correlation: str) -> StepTold:
    return StepTold(
        time=step.time,
        kind=step.kind,
        name=step.name,
        text=step.text,
        state=step.state,
        decision=_decision({"correlation": correlation} | step.entry) if step.entry else None,
    )


def _decision(row: Mapping[str, Any]) -> Decision:
    before, behind = wording.told(row["action"])
    subject = row["subject"] if wording.names_subject(row["action"]) else ""
    told = {name: row[name] for name in Decision.__dataclass_fields__ if name != "words"}
    return Decision(**told, words=f"{row['actor']} {before}{subject}{behind}")
