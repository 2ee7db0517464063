"""What changed, told to every open page: one look at the database a second, however many pages.

A page hears the hub's time and the names of what changed, and asks again for
what it shows, at once and then every few seconds at most (live.js). Nobody listening, nobody looks.
"""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import psycopg
import structlog
from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import cookies
from cloud_hub.console.gate import needs
from cloud_hub.console.here import SQL, caller, office
from cloud_hub.errors import HubError
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store.database import Database
from wire.clock import Clock

EVERY_S = 1.0
LOOK_EVERY = 10  # beats; so soon a page hears nothing more once its session has ended
LOOK_BACK = 5  # beats; a page that begins to listen was drawn some time before (FRESH_MS in live.js)
MOST_LISTENERS = 64  # each holds a thread of the listener
MOST_OF_ONE = 8  # of one session: a browser opens fewer connections than that

pages = Blueprint("live", __name__)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    number: int
    now: datetime
    marks: dict[str, str] = field(default_factory=dict)  # by topic: differs when what it names changed
    trouble: str = ""


class Pulse:
    """The one listener of this process."""

    def __init__(
        self, database: Database, clock: Clock, *, prepare: Callable[[], object] = lambda: None
    ) -> None:
        """``prepare`` makes ready what pages will ask for, before they hear that there is news."""
        self._database = database
        self._prepare = prepare
        self._clock = clock
        self._turn = threading.Condition()
        self._beats = deque([Beat(number=0, now=clock.now())], maxlen=LOOK_BACK)
        self._listeners: Counter[int] = Counter()  # by session
        self._runs = False
        self._stopped = False

    def stop(self) -> None:
        with self._turn:
            self._stopped = True
            self._turn.notify_all()

    def listen(self, session: int) -> Iterator[str] | None:
        """Server-sent events for a page of ``session``; None when there are too many pages already.

        A page counts from the first event it takes: what is never read holds no place.
        """
        with self._turn:
            return None if self._is_full(session) else self._tell(session, self._known())

    def _known(self) -> Beat:
        """What a page shows that begins to listen: it may have been drawn some beats ago."""
        return replace(self._beats[-1], marks=self._beats[0].marks)

    def _is_full(self, session: int) -> bool:
        everybody, theirs = self._listeners.total(), self._listeners[session]
        return self._stopped or everybody >= MOST_LISTENERS or theirs >= MOST_OF_ONE

    def _tell(self, session: int, known: Beat) -> Iterator[str]:
        """``known`` may be old; what changed since is news."""
        with self._turn:
            if self._is_full(session):
                return
            self._listeners[session] += 1
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._look, name="console-pulse", daemon=True).start()
        try:
            yield "retry: 2000\n\n"
            while beat := self._next(known):
                yield f"data: {json.dumps(_news(known, beat))}\n\n"
                known = beat
        finally:
            with self._turn:
                self._listeners[session] -= 1
                self._listeners += Counter()  # forgets whom nothing is open of

    def _next(self, known: Beat) -> Beat | None:
        with self._turn:
            self._turn.wait_for(lambda: self._stopped or self._beats[-1].number > known.number)
            return None if self._stopped else self._beats[-1]

    def _look(self) -> None:
        while True:
            beat = self._read()
            with self._turn:
                self._beats.append(beat)
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._stopped, timeout=EVERY_S)
                if self._stopped or not self._listeners.total():
                    self._runs = False
                    return

    def _read(self) -> Beat:
        last, now = self._beats[-1], self._clock.now()
        number = last.number + 1
        try:
            row = self._database.row(SQL["pulse"]) or {}
            marks = {name: str(mark) for name, mark in row.items()}
            if marks != last.marks:  # where all is quiet, what pages will ask for is there already
                self._prepare()
        except (HubError, psycopg.Error) as error:
            log.warning("no pulse", reason=" ".join(str(error).split()))
            trouble = "The database does not answer; what you see may be old."
            return Beat(number=number, now=now, marks=last.marks, trouble=trouble)
        return Beat(number=number, now=now, marks=marks)


def _news(known: Beat, beat: Beat) -> dict[str, object]:
    changed = [name for name, mark in beat.marks.items() if known.marks.get(name) != mark]
    return {
        "now": beat.now.timestamp(),
        "clock": f"{beat.now:%Y-%m-%d %H:%M}",
        "changed": changed,
        "trouble": beat.trouble,
    }


def _while_let_in(stream: Iterator[str], find: Callable[[], object]) -> Iterator[str]:
    """``stream`` until ``find`` finds its session no more; a database that is away decides nothing."""
    for number, told in enumerate(stream, 1):
        if number % LOOK_EVERY == 0:
            try:
                if find() is None:
                    return
            except (HubError, psycopg.Error):
                pass
        yield told


@pages.get("/events")
@needs(Permission.SEE)
def events() -> ResponseReturnValue:
    session = caller().session
    if session is None:
        return {"error": "events are for pages: a token asks again instead"}, 403
    if request.method != "GET":
        return {"error": "events are listened to by GET"}, 405, {"Allow": "GET"}
    pulse: Pulse = current_app.extensions["pulse"]
    stream = pulse.listen(session.id)
    if stream is None:
        return {"error": "too many pages are open: this one shows no changes by itself"}, 503
    told = _while_let_in(stream, partial(office().sessions.find, cookies.session_secret()))
    return Response(told, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
