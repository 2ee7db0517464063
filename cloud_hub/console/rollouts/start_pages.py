"""Starting a rollout: a form, what it would do, and then just that, once.

The form and the preview are links, to be sent to a colleague; only the last step changes anything.
It carries the seal of the preview: where the fleet has changed since, the person looks again.
"""

from urllib.parse import parse_qs, urlencode

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub, sites_with
from cloud_hub.console.rollouts import starting
from cloud_hub.console.rollouts.start_view import Chosen, choices, link_of, record_of, releases, taken_back
from cloud_hub.console.rollouts.starting import Asked, DraftError
from cloud_hub.errors import ConflictError
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout.drafts import Draft
from cloud_hub.rollout.preview import ChangedError, StartedError
from cloud_hub.rollout.schedule import earliest

pages = Blueprint("start", __name__, url_prefix="/rollouts/new")


@pages.get("")
@needs(Permission.START)
def new() -> ResponseReturnValue:
    return _form(_asked_for())


@pages.get("/preview")
@needs(Permission.START)
def preview() -> ResponseReturnValue:
    """What would happen; a faulty form comes back with its faults, and a long link becomes its short form."""
    draft = _asked_for()
    try:
        asked = starting.foresee(draft)
    except DraftError as error:
        return _form(draft, error), error.status
    typed = kept.shown()
    if not typed and Chosen.bare(request.args.to_dict(flat=False)) != asked.draft.fields():
        return redirect(link_of(asked.draft), 302)
    return _preview(asked, objection=kept.AGAIN if typed else "")


@pages.get("/count")
@needs(Permission.START)
def count() -> ResponseReturnValue:
    """In a few words, while somebody chooses, whom the form means by now."""
    try:
        asked, faults = starting.foresee(_asked_for()), {}
    except DraftError as error:
        asked, faults = None, error.faults
    return render_template("start_count.html", asked=asked, faults=faults)


@pages.post("/begin")
@needs(Permission.START, form="start.preview")
def begin() -> ResponseReturnValue:
    """Start what was previewed; sent twice it starts nothing twice."""
    draft, seal = _carried(request.form.get("plan", "")), request.form.get("seal", "")
    try:
        started = starting.begin(draft, seal)
    except StartedError as error:
        flash(f"This was started already: it is {error.rollout}, and nothing was started twice.")
        return redirect(url_for("rollout.show", name=error.rollout), 303)
    except ChangedError as error:
        return _again(
            draft,
            f"Nothing was started: since you looked, {error}. Look again: this is what would start now.",
        )
    except DraftError as error:
        return _form(draft, error), error.status
    except ConflictError as error:
        return _again(draft, f"Nothing was started: {error}.")
    flash(f"Started: {started}.")
    return redirect(url_for("rollout.show", name=started), 303)


def _asked_for() -> Draft:
    """The draft at hand: what an ended session had typed, else what the link carries."""
    typed = kept.shown()
    if "plan" in typed:
        return _carried(str(typed["plan"]))
    return Draft.of(request.args.to_dict(flat=False))


def _carried(text: str) -> Draft:
    """The draft that a form carries as the query of its link."""
    try:
        return Draft.of(parse_qs(text, keep_blank_values=True, max_num_fields=1200))
    except ValueError:
        return Draft.of({})


def _form(draft: Draft, error: DraftError | None = None) -> str:
    sites = sites_with(Permission.START)
    typed = kept.shown()
    return render_template(
        "start.html",
        draft=draft,
        releases=releases(hub().database),
        choices=choices(hub().database, draft, sites),
        only=sites,
        faults=error.faults if error else {},
        objection=kept.AGAIN if typed and not error else "",
    )


def _again(draft: Draft, objection: str) -> ResponseReturnValue:
    """The preview as it would be now, with why nothing was done."""
    try:
        return _preview(starting.foresee(draft), objection=objection), 409
    except DraftError as error:
        return _form(draft, error), error.status


def _preview(asked: Asked, *, objection: str) -> str:
    chosen = Chosen.of(asked, request.args)
    return render_template(
        "start_preview.html",
        asked=asked,
        ahead=asked.ahead,
        plan=asked.ahead.plan,
        waves=earliest(asked.ahead, hub().clock.now()),
        chosen=chosen,
        taken_back=taken_back(asked.ahead),
        record=record_of(hub().database, asked.ahead.release, sites_with(Permission.SEE)),
        query=urlencode(asked.draft.fields(), doseq=True),
        objection=objection,
        link=lambda **changes: chosen.link(asked.draft, **changes),
    )
