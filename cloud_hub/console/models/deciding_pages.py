"""What people decide about models: to train, to end a training, to approve a release, to refuse it for good.

Each page says what will happen before it asks, and carries it out by the call of the command line. Sent
twice, a form changes nothing twice and says so.
"""

import re
import uuid
from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.console.models import model_view
from cloud_hub.console.models.model_pages import traced
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.console.sentences import objection, one_line, sentence
from cloud_hub.errors import ConflictError, GateError, HubError, NotFoundError
from cloud_hub.flows import refusing, retrain, runs
from cloud_hub.flows import release as releases
from cloud_hub.flows.approving import Outlook, outlook
from cloud_hub.identity.people.permissions import Permission
from models import use_case as use_cases
from models.errors import ModelError

MOST_AHEAD = 20  # runs that wait or are at work, told before one is asked for
MARK = re.compile(r"[0-9a-f]{32}")

pages = Blueprint("deciding", __name__, url_prefix="/models/<use_case>")


@pages.get("/train")
@needs(Permission.TRAIN)
def ask_train(use_case: str) -> ResponseReturnValue:
    return _training(use_case, kept.AGAIN if kept.shown() else "")


@pages.post("/train")
@needs(Permission.TRAIN, form="deciding.ask_train")
def train(use_case: str) -> ResponseReturnValue:
    """Queue a training; the form's own mark makes sure that it is asked for once."""
    _declared(use_case)
    mark = request.form.get("mark", "")
    if not MARK.fullmatch(mark):
        return _training(use_case, "Nothing was asked for: send the form of this page."), 400
    try:
        run, is_new = retrain.request_once(hub(), use_case, actor=caller().name, mark=mark)
    except HubError as error:
        return _training(use_case, f"Nothing was asked for: {error}."), 409
    told = "is queued" if is_new else "was asked for by this form before: nothing more was queued"
    flash(f"{run} {told}.")
    return redirect(url_for("model.use_case", use_case=use_case, _anchor="h-runs"), 303)


@pages.post("/runs/<run>/cancel")
@needs(Permission.TRAIN, form="model.use_case")
def cancel(use_case: str, run: str) -> ResponseReturnValue:
    try:
        runs.cancel(hub(), run, actor=caller().name)
        flash(f"{run} is cancelled.")
    except ConflictError as error:
        flash(f"Nothing was changed: {error}.")
    return redirect(url_for("model.use_case", use_case=use_case, _anchor="h-runs"), 303)


@pages.get("/<int:version>/approve")
@needs(Permission.APPROVE)
def ask_approve(use_case: str, version: int) -> ResponseReturnValue:
    typed = kept.shown()
    return _approving(use_case, version, kept.AGAIN if typed else "", typed.get("override", ""))


@pages.post("/<int:version>/approve")
@needs(Permission.APPROVE, form="deciding.ask_approve")
def approve(use_case: str, version: int) -> ResponseReturnValue:
    """Give one's yes; what cannot be approved changes nothing and says why."""
    override = one_line(request.form.get("override", ""))
    if fault := objection(override, needed=False):
        return _approving(use_case, version, fault, override), 400
    before = _stands(use_case, version)
    release = f"{use_case}/{version}"
    try:
        stands = releases.approve(hub(), release, person=caller().name, override=override)
    except GateError:
        return _approving(
            use_case, version, "The gate has said no: say why it is approved all the same."
        ), 400
    except ConflictError as error:
        return _approving(use_case, version, f"Nothing was changed: {error}.", override), 409
    if before.state in ("approved", "released"):
        again = (
            "It is tried once more to publish it." if before.state == "approved" else "Nothing was changed."
        )
        flash(f"{release} was approved before. {again}")
    elif before.said and not stands.enough:
        flash(f"You approved it before: nothing was changed. {sentence(stands.missing)}")
    elif stands.enough:
        flash("Approved: it is being bundled and signed.")
    else:
        flash(f"Your yes is noted. {sentence(stands.missing)}")
    return _back(use_case, version)


@pages.get("/<int:version>/refuse")
@needs(Permission.APPROVE)
def ask_refuse(use_case: str, version: int) -> ResponseReturnValue:
    typed = kept.shown()
    return _refusing(use_case, version, kept.AGAIN if typed else "", typed.get("reason", ""))


@pages.post("/<int:version>/refuse")
@needs(Permission.APPROVE, form="deciding.ask_refuse")
def refuse(use_case: str, version: int) -> ResponseReturnValue:
    """Say no for good; the second time it is told who said so first."""
    reason = one_line(request.form.get("reason", ""))
    if fault := objection(reason):
        return _refusing(use_case, version, fault, reason), 400
    release = f"{use_case}/{version}"
    try:
        found = refusing.refuse(hub(), release, person=caller().name, reason=reason)
    except ConflictError as error:
        return _refusing(use_case, version, f"Nothing was changed: {error}.", reason), 409
    if found.new:
        flash(f"{release} is refused: nobody can approve it or roll it out any more.")
    else:
        flash(f"{found.person} refused it before: nothing was changed.")
    return _back(use_case, version)


def _training(use_case: str, objection: str = "") -> str:
    declared = _declared(use_case)
    asked = {"use_case": use_case, "machine_class": declared.machine_class}
    return render_template(
        "train.html",
        name=use_case,
        declared=declared,
        predicts=model_view.predicts(declared),
        found=hub().database.row(MODELS["teachable"], asked),
        ahead=hub().database.rows(MODELS["at_work"], {"most": MOST_AHEAD}),
        mark=uuid.uuid4().hex,
        objection=objection,
    )


def _approving(use_case: str, version: int, objection: str = "", typed: str = "") -> str:
    found = traced(use_case, version)
    return render_template(
        "approve.html",
        model=found.model,
        trace=found,
        reason=model_view.reason_of(found.model.gate),
        stands=_stands(use_case, version),
        failure=model_view.failure_of(found),
        objection=objection,
        typed=typed,
    )


def _refusing(use_case: str, version: int, objection: str = "", typed: str = "") -> str:
    found = traced(use_case, version)
    page: Mapping[str, object] = {"model": found.model, "trace": found, "typed": typed}
    return render_template("refuse.html", **page, objection=objection)


def _stands(use_case: str, version: int) -> Outlook:
    try:
        return outlook(hub(), f"{use_case}/{version}", person=caller().name)
    except ModelError as error:
        raise ConflictError(f"nobody can tell who has to approve it: {error}") from error


def _declared(use_case: str) -> use_cases.UseCase:
    known = use_cases.names(hub().config.use_cases)
    if use_case not in known:
        raise NotFoundError("use case", use_case)
    try:
        return use_cases.find(use_case, hub().config.use_cases)
    except ModelError as error:
        raise ConflictError(str(error)) from error


def _back(use_case: str, version: int) -> ResponseReturnValue:
    return redirect(url_for("model.show", use_case=use_case, version=version), 303)
