"""Jobs: what the hub works on, what waits and why, what failed, what is due.

They tell of every site's models and rollouts, so they are for those who may read the chain of decisions.
What can be asked for is asked of the flow that the job serves, so that a job never writes a result it does
not own: a run is cancelled or done again as a run of its own, a publishing is tried again. What comes round
by itself, and the driving of rollouts, take no hand.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import log10
from types import MappingProxyType

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, listing
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows import retrain, runs
from cloud_hub.flows.release import publish_again
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.jobs import queue, read
from cloud_hub.jobs.read import Job
from cloud_hub.store.database import Row

CANCEL, AGAIN, PUBLISH = "cancel", "train-again", "publish-again"
NEEDED: Mapping[str, Permission] = MappingProxyType(
    {CANCEL: Permission.TRAIN, AGAIN: Permission.TRAIN, PUBLISH: Permission.APPROVE}
)
SHORTEST_S, LONGEST_S = 0.01, 86400.0  # of the scale that durations are drawn on

pages = Blueprint("jobs", __name__, url_prefix="/jobs")


@pages.get("")
@needs(Permission.AUDIT)
def index() -> ResponseReturnValue:
    database, now = hub().database, datetime.now(UTC)  # jobs live in real time
    choices = {"task": tuple(read.TASKS), "outcome": read.OUTCOMES}
    asked = listing.asked(("task", "outcome", "subject"), choices)
    part = listing.Part(asked=listing.page_number(), total=read.history_count(database, asked))
    staffed = read.queues(database, now)
    waiting, waiting_count = read.waiting(database, staffed, now)
    return render_template(
        "jobs.html",
        asked=asked,
        part=part,
        link=listing.link,
        real_now=now,
        queues=staffed,
        tasks=read.TASKS,
        outcomes=read.OUTCOMES,
        upkeep=queue.EVERY_MINUTES,
        running=read.running(database),
        waiting=waiting,
        waiting_count=waiting_count,
        due=read.due(database, now),
        durations=[(row, _bar(row)) for row in read.durations(database, now)],
        history=read.history(database, asked, size=part.size, offset=part.offset),
    )


@pages.get("/<int:number>")
@needs(Permission.AUDIT)
def show(number: int) -> ResponseReturnValue:
    typed = kept.shown()
    return _page(number, act=typed.get("act", ""), objection=kept.AGAIN if typed else "")


@pages.post("/<int:number>/<act>")
@needs(NEEDED, form="jobs.show")
def act(number: int, act: str) -> ResponseReturnValue:
    """Do what a button said; what cannot be done changes nothing and says why."""
    job = read.job(hub().database, number)
    try:
        said = _do(job, act)
    except ConflictError as error:
        return _page(number, act=act, objection=f"Nothing was changed: {error}."), 409
    flash(said)
    return redirect(url_for("jobs.show", number=number), 303)


def _do(job: Job, act: str) -> str:
    actor, subject = caller().name, job.subject
    if job.task != (queue.PUBLISH if act == PUBLISH else queue.RETRAIN):
        raise ConflictError(f"job {job.number} is to {read.TASKS.get(job.task, job.task)}")
    try:
        if act == CANCEL:
            runs.cancel(hub(), subject, actor=actor)
            return f"{subject} is cancelled: whoever works on it stops within seconds."
        if act == AGAIN:
            return f"{retrain.again(hub(), subject, actor=actor)} is queued: it does the work of {subject}."
        publish_again(hub(), subject, actor=actor)
    except NotFoundError as error:
        raise ConflictError(str(error)) from error
    return f"{subject} is published again as soon as a worker is free."


def _possible(job: Job) -> list[str]:
    """What can be asked for now, whoever asks."""
    about: Row = job.about or {"state": ""}
    if job.task == queue.RETRAIN:
        of_state = {"queued": [CANCEL], "running": [CANCEL], "failed": [AGAIN], "cancelled": [AGAIN]}
        return of_state.get(about["state"], [])
    failed = bool(job.attempts) and job.attempts[0]["outcome"] in ("failed", "lost")
    return [PUBLISH] if job.task == queue.PUBLISH and about["state"] == "approved" and failed else []


def _page(number: int, *, act: str = "", objection: str = "") -> str:
    job = read.job(hub().database, number)
    possible = _possible(job)
    mine = [each for each in possible if caller().may(NEEDED[each])]
    return render_template(
        "job.html",
        job=job,
        does=read.TASKS.get(job.task, ""),
        real_now=datetime.now(UTC),
        possible=mine,
        refused={each: roles_with(NEEDED[each]) for each in possible if each not in mine},
        rollouts=read.rollouts(hub().database) if job.task == queue.DRIVE else [],
        act=act,
        objection=objection,
    )


def _bar(row: Row) -> dict[str, float]:
    """Where the middle and the slow end of a task's durations stand on a scale of powers of ten, 0 to 100."""
    return {name: _place(float(row[name])) for name in ("middle", "most")}


def _place(seconds: float) -> float:
    width = log10(LONGEST_S / SHORTEST_S)
    return round(100 * log10(min(max(seconds, SHORTEST_S), LONGEST_S) / SHORTEST_S) / width, 1)
