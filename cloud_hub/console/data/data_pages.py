"""Data: what models learn from, what could not be kept, and making a dataset.

A dataset holds rows of every site. Its figures are for everybody, as those of the models made of it are;
whatever names a machine is for those who see every site.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest

from cloud_hub.console import kept, listing
from cloud_hub.console.data import dataset_view
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.models import model_view
from cloud_hub.dataset import catalogue, manifest_difference
from cloud_hub.errors import ConflictError
from cloud_hub.flows import snapshots
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import lost, quarantine_list, storage
from models import use_case as use_cases
from models.errors import UseCaseError

SIZE = 20  # datasets on a page
DAY = timedelta(days=1)
LINEAGE = "model.dataset"  # the page of what was made of a dataset, where there is one

pages = Blueprint("data", __name__, url_prefix="/data")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    database, sites = hub().database, seen_sites()
    asked = listing.asked(("use_case",), {})
    total = catalogue.count(database, asked["use_case"])
    part = listing.Part(asked=listing.page_number(), total=total, size=SIZE)
    return render_template(
        "data.html",
        asked=asked,
        part=part,
        link=listing.link,
        datasets=catalogue.page(database, asked["use_case"], size=part.size, offset=part.offset),
        use_cases=catalogue.use_cases(database),
        requests=snapshots.newest(hub()),
        error_of=model_view.error_of,
        reasons=quarantine_list.reasons(database, sites=sites),
        gaps=lost.lately(database, hub().clock.now() - DAY, sites=sites),
        bytes=storage.size(database),
        sees_all=sites is None,
    )


@pages.get("/datasets/<digest>")
@needs(Permission.SEE)
def dataset(digest: str) -> ResponseReturnValue:
    """By its hash, or by the id that commands show."""
    database = hub().database
    entry = catalogue.one(database, digest)
    asked = listing.asked(("against", "feature"), {})
    rival = catalogue.one(database, asked["against"]) if asked["against"] else None
    machines = dataset_view.machines(entry.manifest)
    part = listing.Part(asked=listing.page_number(), total=len(machines))
    return render_template(
        "dataset.html",
        dataset=entry,
        facts=dataset_view.facts(entry.manifest),
        told=dataset_view.findings(entry.manifest),
        signals=dataset_view.signals(entry.manifest),
        features=dataset_view.features(entry.manifest, rival.manifest if rival else None),
        feature=_chosen(entry.manifest, asked["feature"]),
        machines=machines[part.offset : part.offset + part.size],
        part=part,
        asked=asked,
        link=listing.link,
        made=catalogue.made_of(database, entry),
        others=catalogue.others(database, entry),
        rival=rival,
        difference=manifest_difference.compare(rival.manifest, entry.manifest) if rival else None,
        lineage=LINEAGE in current_app.view_functions,
        sees_all=seen_sites() is None,
    )


@pages.get("/make")
@needs(Permission.DATA)
def new() -> ResponseReturnValue:
    typed = kept.shown()
    begun = {"use_case": request.args.get("use_case", "")[: listing.LONGEST_TEXT], "since": ""}
    return _form(begun | dict(typed), kept.AGAIN if typed else "")


@pages.post("/make")
@needs(Permission.DATA, form="data.new")
def make() -> ResponseReturnValue:
    """Ask for it; sent twice, the second asks for nothing and says so."""
    typed = {name: request.form.get(name, "").strip() for name in ("use_case", "since")}
    try:
        since = _since(typed["since"])
        snapshots.request(hub(), typed["use_case"], since=since, actor=caller().name)
    except ConflictError as error:
        return _form(typed, f"Nothing was asked for: {error}."), 409
    except (UseCaseError, BadRequest) as error:
        why = error.description if isinstance(error, BadRequest) else str(error)
        return _form(typed, f"Nothing was asked for: {why}."), 400
    flash(f"A dataset of {typed['use_case']} is being made; it appears below when it is there.")
    return redirect(url_for("data.index"), 303)


def _form(typed: Mapping[str, Any], objection: str = "") -> str:
    return render_template(
        "dataset_make.html",
        typed=typed,
        objection=objection,
        use_cases=use_cases.names(hub().config.use_cases),
        today=hub().clock.now(),
    )


def _since(text: str) -> datetime | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError as error:
        raise BadRequest(f"expected a day such as 2026-01-31, got {text[:40]!r}") from error


def _chosen(manifest: Mapping[str, Any], name: str) -> str:
    """The feature whose distribution is drawn large: the one a link names, else the first."""
    told: Mapping[str, Any] = manifest.get("distributions") or {}
    if name and name not in told:
        raise BadRequest(f"Expected a feature whose distribution is known, got {name!r}.")
    return name or next((each["name"] for each in manifest.get("features") or () if each["name"] in told), "")
