"""What if, as a page: inputs of a machine's newest row, changed by hand, and what a release says then."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, reach
from cloud_hub.console.answers import problem
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, sites_with
from cloud_hub.console.models.whatif import Before, Moved, Row, ask, before_of, manifest_of
from cloud_hub.errors import ConflictError, HubError, NotFoundError
from cloud_hub.identity.people.permissions import Permission, roles_with
from cloud_hub.store.database import load_queries
from wire.clock import EPOCH
from wire.manifest import Manifest

SQL = load_queries("cloud_hub.console.models", "whatif.sql")
MOST_MACHINES = 500

pages = Blueprint("whatif", __name__, url_prefix="/models/<use_case>/<int:version>/what-if")


@pages.get("")
@needs(Permission.ASK)
def show(use_case: str, version: int) -> ResponseReturnValue:
    manifest = manifest_of(use_case, version)
    again = _typed(manifest, kept.shown())
    machine = kept.shown().get("machine") or request.args.get("machine", "")
    asked = {"use_case": use_case, "machine": machine, "sites": _sites()}
    newest = hub().database.row(SQL["newest"], asked)
    if newest is None:
        return _page(manifest, None, {}, None, f"No prediction for {machine or 'any machine'} is stored yet")
    try:
        before = before_of(manifest, newest["machine"], newest["time"])
    except NotFoundError:
        gone = f"The features that {newest['machine']} was last predicted from are not stored"
        return _page(manifest, None, {}, None, f"{gone}: choose another, or wait for its next prediction")
    if again:
        return _page(manifest, before, again, None, kept.AGAIN.rstrip("."))
    return _page(manifest, before, {}, *_asked(manifest, before, {}))


@pages.post("")
@needs(Permission.ASK, form="whatif.show")
def change(use_case: str, version: int) -> ResponseReturnValue:
    """As a page, or for htmx only the answer. What cannot be answered says why, in its place."""
    manifest = manifest_of(use_case, version)
    machine = request.form.get("machine", "")
    reach.check_machine(machine)
    if not caller().rights.may(Permission.ASK, reach.machine(machine)):
        roles = " or ".join(roles_with(Permission.ASK))
        return problem("Not yours to do", f"To ask about {machine} takes the role {roles} at its site.", 403)
    before = before_of(manifest, machine, _time(request.form.get("time", "")))
    typed = _typed(manifest, request.form)
    answer, objection = _asked(manifest, before, typed)
    if request.headers.get("HX-Request"):
        return render_template("whatif_answer.html", answer=answer, objection=objection)
    return _page(manifest, before, typed, answer, objection)


def _sites() -> list[str] | None:
    """Where this caller may ask, and see what they ask about."""
    return sites_with(Permission.SEE, Permission.ASK)


def _typed(manifest: Manifest, fields: Mapping[str, str]) -> dict[str, str]:
    """By input what a form says of it; empty for one that says nothing."""
    found = {each.name: fields.get(f"input-{place}", "") for place, each in enumerate(manifest.inputs)}
    return found if any(found.values()) else {}


def _asked(manifest: Manifest, before: Before, typed: dict[str, str]) -> tuple[list[Moved] | None, str]:
    """Each output as it was and as it would be; or None, and why."""
    try:
        return ask(manifest, before.row, _changed(manifest, before.row, typed)), ""
    except HubError as error:
        return None, str(error)


def _changed(manifest: Manifest, row: Row, typed: dict[str, str]) -> Row:
    """``row`` with what was typed; a field that still says what it said changes nothing."""
    changed = row.copy()
    for place, each in enumerate(manifest.inputs):
        text = typed.get(each.name, "").strip()
        if text in ("", _text(row[place])):
            continue
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) < float(np.finfo(np.float32).max):
            raise ConflictError(f"expected a number for {each.name}, got {text[:40]!r}")
        changed[place] = value
    return changed


def _page(
    manifest: Manifest,
    before: Before | None,
    typed: dict[str, str],
    answer: list[Moved] | None,
    objection: str,
) -> str:
    asked = {"use_case": manifest.use_case, "most": MOST_MACHINES, "sites": _sites()}
    texts = [_text(value) for value in before.row] if before else []
    fields = [
        {"name": each.name, "unit": each.unit, "was": text, "now": typed.get(each.name) or text}
        for each, text in zip(manifest.inputs, texts, strict=bool(before))
    ]
    return render_template(
        "whatif.html",
        manifest=manifest,
        before=before,
        machines=[row["name"] for row in hub().database.rows(SQL["machines"], asked)],
        fields=fields,
        answer=answer,
        objection=objection,
    )


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else EPOCH
    except ValueError as error:
        raise NotFoundError("feature row of", text[:40]) from error


def _text(value: Any) -> str:
    """Six digits: enough to see, and what a person would change."""
    return f"{float(value):.6g}"
