"""Quarantine: what could not be stored, why, what to do about it, and asking for another try.

The same calls as ``andon data quarantine``, and the same entries in the audit chain. What belongs to
devices at sites that somebody does not see is not there for them.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, listing, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.console.machines import spans
from cloud_hub.errors import ConflictError
from cloud_hub.flows import replaying
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import quarantine, quarantine_list
from cloud_hub.store.quarantine_excerpt import excerpt
from cloud_hub.store.reasons import Reason, explain

SINCE = ("1h", "1d", "7d", "30d")
LARGEST = (1 << 63) - 1

pages = Blueprint("quarantine", __name__, url_prefix="/data/quarantine")


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    typed = kept.shown()
    return _list(typed=typed, objection=kept.AGAIN if typed else "")


@pages.post("/replay")
@needs(Permission.DATA, form="quarantine.index")
def replay_all() -> ResponseReturnValue:
    """Another try at all that wait for a reason; asked again before it is made, nothing changes."""
    reason, device = (request.form.get(name, "").strip() for name in ("reason", "device"))
    try:
        asked = replaying.replay_all(
            hub(), reason, device=device or None, actor=caller().name, most=replaying.MOST
        )
    except ConflictError as error:
        typed = {"reason": reason, "device": device}
        return _list(typed=typed, objection=f"Nothing was changed: {error}."), 409
    flash(_told(asked.fresh, len(asked.numbers)))
    return redirect(url_for("quarantine.index", reason=reason, device=device or None), 303)


@pages.get(f"/<int(max={LARGEST}):name>")
@needs(Permission.SEE, of=reach.quarantined)
def show(name: int) -> ResponseReturnValue:
    return _page(name, kept.AGAIN if kept.shown() else "")


@pages.post(f"/<int(max={LARGEST}):name>/replay")
@needs(Permission.DATA, of=reach.quarantined, form="quarantine.show")
def replay(name: int) -> ResponseReturnValue:
    """Another try at one message; asked again before it is made, nothing changes."""
    try:
        news = replaying.replay_one(hub(), name, actor=caller().name)
    except ConflictError as error:
        return _page(name, f"Nothing was changed: {error}."), 409
    flash(_told(int(news), 1))
    return redirect(url_for("quarantine.show", name=name), 303)


def _list(*, typed: Mapping[str, Any] = MappingProxyType({}), objection: str = "") -> str:
    database, sites = hub().database, seen_sites()
    names = (*quarantine_list.FILTERS, "since")
    asked = listing.asked(names, {"state": quarantine_list.STATES, "since": SINCE})
    asked.update({name: str(typed[name]) for name in ("reason", "device") if name in typed})
    since = _since(asked["since"])
    total = quarantine_list.count(database, asked, since=since, sites=sites)
    part = listing.Part(asked=listing.page_number(), total=total)
    reasons, senders = quarantine_list.waiting(database, sites=sites)
    return render_template(
        "quarantine.html",
        asked=asked,
        part=part,
        link=listing.link,
        objection=objection,
        again=bool(typed),
        listed=quarantine_list.page(
            database, asked, size=part.size, offset=part.offset, since=since, sites=sites
        ),
        reasons=reasons,
        senders=senders,
        states=quarantine_list.STATES,
        spans=SINCE,
        explain=explain,
        never=Reason.SEQUENCE_REUSED,
        most=replaying.MOST,
        kept_days=hub().config.store.quarantine_days,
    )


def _page(number: int, objection: str = "") -> str:
    item, contents = quarantine.show(hub().database, number)
    return render_template(
        "quarantined.html",
        item=item,
        contents=contents,
        excerpt=excerpt(hub().database, number),
        objection=objection,
    )


def _since(text: str) -> datetime | None:
    return spans.Span.parse(text, hub().clock.now()).start if text else None


def _told(fresh: int, asked: int) -> str:
    if not asked:
        return "Nothing waits for that any more: nothing was changed."
    if not fresh:
        return "Another try was asked for already and is not made yet: nothing was changed."
    what = "One message is" if fresh == 1 else f"{fresh:,} messages are"
    return f"{what} tried again as soon as ingest comes to it; what is stored leaves quarantine."
