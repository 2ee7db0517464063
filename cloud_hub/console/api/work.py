"""What the hub works on: jobs, trainings that people ask for, and the chain of decisions.

Jobs and decisions tell of every site, so they take a role that holds at all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Nothing, Text, WrittenMoment
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.audit_pages import chain
from cloud_hub.console.here import caller, hub
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import retrain, runs
from cloud_hub.governance import audit, wording
from cloud_hub.governance import read as decisions
from cloud_hub.governance.read import Wanted
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.jobs import read
from cloud_hub.store.database import load_queries
from models.errors import UseCaseError

SQL = load_queries("cloud_hub.console.api", "work.sql")
NUMBER = "<int(min=1, max=9223372036854775807):number>"

Task = Annotated[
    Text, Field(description="Its name, such as retrain; empty: all but what went well by itself.")
]


class AttemptsAsked(Paging):
    task: Task = ""
    outcome: Literal["done", "failed", "stopped", "lost"] | None = None
    subject: Annotated[Text, Field(description="The run, release or use case it was about.")] = ""


class DecisionsAsked(Paging):
    actor: Text = ""
    action: Annotated[Text, Field(description="As rollout.start.")] = ""
    subject: Annotated[Text, Field(description="How its name begins.")] = ""
    correlation: Text = ""
    start: Annotated[WrittenMoment | None, Field(alias="from")] = None
    end: Annotated[WrittenMoment | None, Field(alias="to", description="Entries before it.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTold:
    """Whether anybody works at a queue; ``start`` is the command where nobody does."""

    name: str
    alive: int
    places: int
    seen: datetime | None
    start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    id: int
    task: str
    queue: str
    attempt: int
    subject: str
    worker: str | None
    began: datetime | None
    stage: str | None
    progress: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """``why`` it waits, in words."""

    id: int
    task: str
    queue: str
    attempts: int
    due: datetime | None
    subject: str
    asked: datetime | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTask:
    task: str
    minutes: int
    next: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What runs, the first hundred of those that wait, and what comes round; all times are real."""

    now: datetime
    queues: tuple[QueueTold, ...]
    running: tuple[RunningJob, ...]
    waiting: tuple[WaitingJob, ...]
    waiting_total: int
    due: tuple[DueTask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTold:
    job: int
    attempt: int
    task: str
    queue: str
    subject: str
    worker: str
    began: datetime
    ended: datetime | None
    outcome: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTold:
    number: int
    task: str
    queue: str
    subject: str
    status: str
    attempts: tuple[AttemptTold, ...]


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
class Asked:
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    run: str
    state: str


@operation("GET", "/jobs", Permission.AUDIT)
def jobs() -> Jobs:
    """What the hub works on now, what waits and why, and what is due when."""
    database, now = hub().database, datetime.now(UTC)  # jobs live in real time
    staffed = read.queues(database, now)
    waiting, total = read.waiting(database, staffed, now)
    return Jobs(
        now=now,
        queues=tuple(QueueTold(**_of(QueueTold, each)) for each in staffed),
        running=tuple(RunningJob(**row) for row in read.running(database)),
        waiting=tuple(WaitingJob(**_from(WaitingJob, row)) for row in waiting),
        waiting_total=total,
        due=tuple(DueTask(**_of(DueTask, each)) for each in read.due(database, now)),
    )


@operation("GET", "/job-attempts", Permission.AUDIT)
def job_attempts(query: AttemptsAsked) -> Page[AttemptTold]:
    """Attempts at jobs that have ended, newest first."""
    database = hub().database
    asked = {"task": query.task, "outcome": query.outcome or "", "subject": query.subject}
    found = read.history(database, asked, size=query.size, offset=query.offset)
    return paging.told(query, [AttemptTold(**row) for row in found], read.history_count(database, asked))


@operation("GET", f"/jobs/{NUMBER}", Permission.AUDIT)
def job(number: int) -> JobTold:
    """One job: how it stands, and its attempts, newest first."""
    found = read.job(hub().database, number)
    told = _of(JobTold, found) | {"attempts": tuple(AttemptTold(**row) for row in found.attempts)}
    return JobTold(**told)


@operation("POST", "/use-cases/<use_case>/train", Permission.TRAIN, status=202)
def train(use_case: str, body: Nothing) -> Asked:
    """Train a use case on what the store holds now, and judge the candidate; a job does it.

    Refused while it is trained already: sent twice, the second asks for nothing.
    """
    del body
    open_one = hub().database.row(SQL["open_run"], {"use_case": use_case})
    if open_one is not None:
        raise ConflictError(f"{open_one['id']} trains {use_case} already: wait for it, or cancel it")
    try:
        return Asked(run=retrain.request(hub(), use_case, actor=caller().name))
    except UseCaseError as error:
        raise NotFoundError("use case", use_case) from error


@operation("POST", "/runs/<run>/cancel", Permission.TRAIN)
def cancel_run(run: str, body: Nothing) -> Cancelled:
    """End a training, queued or at work; whoever works on it stops within seconds."""
    del body
    runs.cancel(hub(), run, actor=caller().name)
    return Cancelled(run=run, state="cancelled")


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


def _decision(row: Mapping[str, Any]) -> Decision:
    before, behind = wording.told(row["action"])
    subject = row["subject"] if wording.names_subject(row["action"]) else ""
    told = {name: row[name] for name in Decision.__dataclass_fields__ if name != "words"}
    return Decision(**told, words=f"{row['actor']} {before}{subject}{behind}")


def _of(kind: type[Any], value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in kind.__dataclass_fields__}


def _from(kind: type[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in kind.__dataclass_fields__}
