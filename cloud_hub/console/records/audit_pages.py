"""The chain of decisions: who did what and why, whether it is whole, and the story of one trace."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from cloud_hub.console import listing, moments
from cloud_hub.console.answers import problem
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.flows.story import story
from cloud_hub.governance import audit, read, wording
from cloud_hub.governance.chain import Chain, Standing
from cloud_hub.governance.read import Wanted
from cloud_hub.governance.telling import summary
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store.database import Database, Row

FILTERS = ("actor", "action", "subject", "correlation", "from", "to", "zone")
MOST_EXPORTED = 100_000
MOST_FILES = 8  # on their way at once: whoever reads one slowly holds a thread of the listener
PLACES = {
    "machine": "machine.show",
    "device": "device.show",
    "rollout": "rollout.show",
}
LARGEST = 2**63 - 1

pages = Blueprint("audit", __name__, url_prefix="/audit")


class Files:
    """Those of one process that are on their way, each from its first piece to its last."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._number = 0

    def is_full(self) -> bool:
        return self._number >= MOST_FILES

    def of(self, pieces: Iterator[str]) -> Iterator[str]:
        with self._turn:
            self._number += 1
        try:
            yield from pieces
        finally:
            with self._turn:
                self._number -= 1


_files = Files()


@pages.get("")
@needs(Permission.AUDIT)
def index() -> ResponseReturnValue:
    database, objection, status = hub().database, "", 200
    asked = listing.asked(FILTERS, {})
    try:
        wanted = _wanted(asked)
    except ConflictError as error:
        wanted, status = Wanted(), 400
        objection = f"Nothing was looked for: {error}."
    total = 0 if objection else read.count(database, wanted)
    part = listing.Part(asked=listing.page_number(), total=total)
    found = read.page(database, wanted, size=part.size, offset=part.offset) if total else []
    page = render_template(
        "audit.html",
        asked=asked,
        filtered=any(asked[name] for name in FILTERS if name != "zone"),
        objection=objection,
        part=part,
        link=listing.link,
        entries=found,
        chain=chain().look(),
        actions=read.actions(database),
        actors=read.actors(database),
        most_exported=MOST_EXPORTED,
        **_words(),
    )
    return page, status


@pages.post("")
@needs(Permission.AUDIT, form="audit.index")
def verify() -> ResponseReturnValue:
    """Walk all of the chain again."""
    standing = chain().look(again=True)
    flash(_verified(standing))
    return redirect(url_for("audit.index"), 303)


@pages.get("/<int:number>")
@needs(Permission.AUDIT)
def show(number: int) -> ResponseReturnValue:
    if number > LARGEST:  # as no id can be: the database would compare it with every one
        raise NotFoundError("audit entry", number)
    with hub().database.transaction() as connection:
        entry = audit.one(connection, number)
    return render_template("audit_entry.html", entry=entry, chain=chain().look(), **_words())


@pages.get("/trace/<path:correlation>")
@needs(Permission.AUDIT)
def trace(correlation: str) -> ResponseReturnValue:
    told = story(hub(), correlation[: 2 * listing.LONGEST_TEXT])
    return render_template("trace.html", story=told, **_words())


@pages.get("/export.json")
@needs(Permission.AUDIT)
def export() -> ResponseReturnValue:
    """The entries of the filtered list as a file, with their hashes: who has it can prove what it says."""
    asked = listing.asked(FILTERS, {})
    try:
        wanted = _wanted(asked)
    except ConflictError as error:
        raise BadRequest(f"Nothing was exported: {error}.") from error
    if _files.is_full():
        return problem("Not done", "Too many files are on their way at this moment: ask again soon.", 503)
    database = hub().database
    head: dict[str, Any] = {
        "hub_time": hub().clock.now().isoformat(),
        "exported_by": caller().name,
        "filters": {name: text for name, text in asked.items() if text},
        "entries_found": read.count(database, wanted),
        "entries_at_most": MOST_EXPORTED,
        "newest": asdict(chain().look())["found"],
    }
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return Response(
        _files.of(_file(database, wanted, head)),
        mimetype="application/json",
        headers={"Content-Disposition": f'attachment; filename="andon-audit-{stamp}.json"'},
    )


def chain() -> Chain:
    found: Chain = current_app.extensions["chain"]
    return found


def place(action: str, subject: str) -> str:
    """Where the page of what was decided about is; empty where it has none."""
    kind = wording.kind(action)
    use_case, _, version = subject.rpartition("/")
    if kind == "release" and use_case and version.isascii() and version.isdecimal():
        return url_for("model.show", use_case=use_case, version=int(version))
    if kind == "run":
        return url_for("jobs.index", subject=subject)
    return url_for(PLACES[kind], name=subject) if kind in PLACES and subject else ""


def _words() -> dict[str, Any]:
    return {
        "told": wording.told,
        "names_subject": wording.names_subject,
        "summary": summary,
        "place": place,
        "in_text": partial(json.dumps, sort_keys=True, indent=2, ensure_ascii=False, default=str),
    }


def _wanted(asked: dict[str, str]) -> Wanted:
    """``ConflictError`` says what is wrong with its moments."""
    start, end = (
        moments.parse(asked[name], asked["zone"]) if asked[name] else None for name in ("from", "to")
    )
    if start and end and end <= start:
        raise ConflictError("the span ends before it begins: exchange its two moments")
    return Wanted(
        actor=asked["actor"],
        action=asked["action"],
        subject=asked["subject"],
        correlation=asked["correlation"],
        start=start,
        end=end,
    )


def _verified(standing: Standing) -> str:
    if standing.under_way:
        return "The chain is walked from its first entry; this page says when it is done."
    if standing.found is None or standing.is_broken:
        return "The chain was walked from its first entry, and does not fit."
    return f"All {standing.found.entries} entries were walked from the first one, and fit."


def _file(database: Database, wanted: Wanted, head: dict[str, Any]) -> Iterator[str]:
    yield json.dumps(head, default=str)[:-1] + ', "entries": ['
    for number, row in enumerate(read.every(database, wanted, most=MOST_EXPORTED)):
        yield (",\n" if number else "\n") + json.dumps(_plain(row), ensure_ascii=False)
    yield "\n]}\n"


def _plain(row: Row) -> Row:
    return row | {"time": row["time"].isoformat()}
