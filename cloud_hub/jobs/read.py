"""Jobs as people look at them: what runs, what waits and why, what failed, what is due. Read-only.

The queue is the truth of what runs and waits, the notes of workers of what was. All times are real.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from cloud_hub.errors import NotFoundError
from cloud_hub.jobs import queue
from cloud_hub.jobs.reaper import SILENCE_S
from cloud_hub.store.database import Database, Row, load_queries

SQL = load_queries("cloud_hub.jobs", "read.sql")
TASKS: Mapping[str, str] = MappingProxyType(
    {
        queue.RETRAIN: "train and judge a candidate",
        queue.PUBLISH: "build, sign and publish a release",
        queue.SNAPSHOT: "make a dataset",
        queue.CHECK: "look at the triggers of a use case",
        queue.DRIVE: "drive rollouts",
        queue.LOOK: "find use cases whose triggers are due",
        queue.MAINTAIN: "partitions, rollups and retention",
        queue.REFRESH: "sign the TUF timestamp anew",
    }
)
OUTCOMES = ("done", "failed", "stopped", "lost")
MOST_SHOWN = 100  # that run or wait
MOST_TIMED = 1000  # attempts of a task, for how long it takes
TIMED = timedelta(days=7)
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Whether anybody works at a queue."""

    name: str
    alive: int  # worker processes seen just now
    places: int  # jobs that they do at once
    seen: datetime | None  # when one was last seen; None: never
    worker: str = ""  # which
    left: bool = False  # it ended in good order

    @property
    def start(self) -> str:
        """What to do where nobody works."""
        return "" if self.alive else "andon hub work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A task that comes round."""

    task: str
    minutes: int
    next: datetime
    newest: Row | None  # its last attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job: as the queue knows it (None once it went well and was forgotten), and its attempts."""

    number: int
    task: str
    queue: str
    subject: str
    status: str  # of the queue, else how the last attempt ended
    kept: Row | None
    attempts: list[Row]
    events: list[Row]
    about: Row | None  # the run or release


def queues(database: Database, now: datetime) -> list[Queue]:
    found = {
        row["queue"]: row
        for row in database.rows(SQL["workers"], {"since": now - timedelta(seconds=SILENCE_S)})
    }
    return [_queue(name, found.get(name)) for name in queue.CONCURRENCY]


def running(database: Database) -> list[Row]:
    return database.rows(SQL["running"], {"most": MOST_SHOWN})


def waiting(database: Database, staffed: list[Queue], now: datetime) -> tuple[list[Row], int]:
    """The first of them in their order, each with ``why`` it waits; and how many there are."""
    of_queue = {each.name: each for each in staffed}
    found = database.rows(SQL["waiting"], {"most": MOST_SHOWN})
    counted = database.row(SQL["waiting_count"]) or {"jobs": 0}
    return [row | {"why": why(row, of_queue.get(row["queue"]), now)} for row in found], counted["jobs"]


def why(row: Row, staffed: Queue | None, now: datetime) -> str:
    """Why a job waits, in words."""
    if row["run_state"] in ("cancelled", "failed"):
        return f"its run is {row['run_state']}: there is nothing left to do when its turn comes"
    if staffed is None or not staffed.alive:
        return f"no worker is there for the queue {row['queue']}"
    if row["due"] is not None and row["due"] > now:
        return "its time has not come"
    if row["ahead"] is not None:
        does = "works" if row["ahead_status"] == "doing" else "comes first"
        return f"takes turns: job {row['ahead']} ({row['ahead_task']}) {does}"
    taken = row["busy"] >= staffed.places
    return f"places taken: {row['busy']} of {staffed.places}" if taken else "a worker takes it within seconds"


def due(database: Database, now: datetime) -> list[Due]:
    """The tasks that come round, the next one first."""
    names = list(queue.EVERY_MINUTES)
    newest = {row["task"]: row for row in database.rows(SQL["newest_of_tasks"], {"tasks": names})}
    listed = [
        Due(task=task, minutes=minutes, next=_next(now, minutes), newest=newest.get(task))
        for task, minutes in queue.EVERY_MINUTES.items()
    ]
    return sorted(listed, key=lambda each: each.next)


def durations(database: Database, now: datetime) -> list[Row]:
    """How long each task took of late, the longest first."""
    asked = {"tasks": list(TASKS), "since": now - TIMED, "most": MOST_TIMED}
    return sorted(database.rows(SQL["durations"], asked), key=lambda row: -float(row["middle"]))


def history_count(database: Database, asked: Mapping[str, str]) -> int:
    row = database.row(SQL["history_count"], _history(asked)) or {"attempts": 0}
    return int(row["attempts"])


def history(database: Database, asked: Mapping[str, str], *, size: int, offset: int) -> list[Row]:
    """Attempts that have ended, newest first; of ``asked`` task, outcome and subject."""
    return database.rows(SQL["history"], _history(asked) | {"size": size, "offset": offset})


def job(database: Database, number: int) -> Job:
    """``NotFoundError`` where neither the queue nor a note knows it."""
    if not 0 < number <= LARGEST:
        raise NotFoundError("job", number)
    named = {"job": number}
    kept, attempts = database.row(SQL["job"], named), database.rows(SQL["attempts"], named)
    if kept is None and not attempts:
        raise NotFoundError("job", number)
    one: Row = kept or attempts[0]
    told = kept["arguments"] if kept else {}
    subject = attempts[0]["subject"] if attempts else _subject(told)
    about = {queue.RETRAIN: "run", queue.PUBLISH: "release"}.get(one["task"])
    return Job(
        number=number,
        task=one["task"],
        queue=one["queue"],
        subject=subject,
        status=kept["status"] if kept else attempts[0]["outcome"] or "doing",
        kept=kept,
        attempts=attempts,
        events=database.rows(SQL["events"], named),
        about=database.row(SQL[about], {"subject": subject}) if about else None,
    )


def rollouts(database: Database) -> list[Row]:
    """Those that the job of rollouts drives."""
    return database.rows(SQL["rollouts"])


def _history(asked: Mapping[str, str]) -> Row:
    return {name: asked[name] for name in ("task", "outcome", "subject")} | {
        "upkeep": list(queue.EVERY_MINUTES)
    }


def _queue(name: str, row: Row | None) -> Queue:
    if row is None:
        return Queue(name=name, alive=0, places=0, seen=None)
    return Queue(
        name=name,
        alive=row["alive"],
        places=row["alive"] * queue.CONCURRENCY[name],
        seen=row["seen"],
        worker=row["name"],
        left=row["ended"] is not None,
    )


def _next(now: datetime, minutes: int) -> datetime:
    begun = now.replace(minute=now.minute - now.minute % minutes, second=0, microsecond=0)
    return begun + timedelta(minutes=minutes)


def _subject(arguments: Mapping[str, object]) -> str:
    named = [arguments[name] for name in ("run", "release", "number", "use_case") if name in arguments]
    return str(named[0]) if named else ""
