"""What the hub works on: jobs, and the trainings and publishings that people ask for.

Jobs tell of every site's models and rollouts, so they take a role that holds at all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from cloud_hub.console.api import paging
from cloud_hub.console.api.asked import Body, Nothing, Text
from cloud_hub.console.api.operation import operation
from cloud_hub.console.api.paging import Page, Paging
from cloud_hub.console.api.releases import VERSION
from cloud_hub.console.here import caller, hub
from cloud_hub.errors import NotFoundError
from cloud_hub.flows import retrain, runs
from cloud_hub.flows.release import publish_again
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.jobs import read
from models.errors import UseCaseError

NUMBER = "<int(min=1, max=9223372036854775807):number>"

Task = Annotated[
    Text, Field(description="Its name, such as retrain; empty: all but what went well by itself.")
]


class AttemptsAsked(Paging):
    task: Task = ""
    outcome: Literal["done", "failed", "stopped", "lost"] | None = None
    subject: Annotated[Text, Field(description="The run, release or use case it was about.")] = ""


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


class Training(Body):
    """Without a mark it is refused while the use case is trained already."""

    mark: Annotated[
        str | None, Field(pattern=r"^[0-9a-f]{32}$", description="Drawn by the caller: asked for once by it.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``changed`` is false where it had been asked for by this mark before."""

    run: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    release: str
    queued: bool


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
def train(use_case: str, body: Training) -> Asked:
    """Train a use case on what the store holds now, and judge the candidate; a job does it."""
    actor = caller().name
    try:
        if body.mark is not None:
            run, fresh = retrain.request_once(hub(), use_case, actor=actor, mark=body.mark)
            return Asked(run=run, changed=fresh)
        return Asked(run=retrain.request(hub(), use_case, actor=actor, alone=True), changed=True)
    except UseCaseError as error:
        raise NotFoundError("use case", use_case) from error


@operation("POST", "/runs/<run>/again", Permission.TRAIN, status=202)
def train_again(run: str, body: Nothing) -> Asked:
    """Ask once more for what a training was to do that failed or was cancelled; a run of its own does it."""
    del body
    return Asked(run=retrain.again(hub(), run, actor=caller().name), changed=True)


@operation("POST", f"/releases/<use_case>/{VERSION}/publish-again", Permission.APPROVE, status=202)
def publish_release_again(use_case: str, version: int, body: Nothing) -> Published:
    """Have an approved release that could not be published be tried again."""
    del body
    publish_again(hub(), f"{use_case}/{version}", actor=caller().name)
    return Published(release=f"{use_case}/{version}", queued=True)


@operation("POST", "/runs/<run>/cancel", Permission.TRAIN)
def cancel_run(run: str, body: Nothing) -> Cancelled:
    """End a training, queued or at work; whoever works on it stops within seconds."""
    del body
    runs.cancel(hub(), run, actor=caller().name)
    return Cancelled(run=run, state="cancelled")


def _of(kind: type[Any], value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in kind.__dataclass_fields__}


def _from(kind: type[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in kind.__dataclass_fields__}
