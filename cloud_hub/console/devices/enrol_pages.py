"""Devices come and go: a place and a token for a new one, another token, and out of service for good.

The same calls as ``andon device add`` and ``andon device retire``, and the same entries in
the audit chain. A token is shown once, in the answer to the form; the hub keeps its hash.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, reach, sentences
from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub, seen_sites
from cloud_hub.errors import ConfigError, ConflictError, TrustError
from cloud_hub.identity import devices, revoking
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.devices import NewDevice
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.identity.tokens import Token
from cloud_hub.store import fleet, plant
from cloud_hub.store.database import Connection
from firmware_configs.profiles import profiles

LIFETIMES = (1, 24, 168)  # hours
USUAL_LIFETIME = 24
FIELDS = ("name", "site", "profile", "zone", "tags", "hours")

pages = Blueprint("enrol", __name__)


@pages.get("/enrol")
@needs(Permission.ENROL)
def new() -> ResponseReturnValue:
    begun = {"profile": devices.PROFILE, "hours": str(USUAL_LIFETIME), "site": request.args.get("site", "")}
    typed = kept.shown()
    return _form(begun | dict(typed), kept.AGAIN if typed else "")


@pages.post("/enrol")
@needs(Permission.ENROL, form="enrol.new")
def add() -> ResponseReturnValue:
    """The device's place and its first token; sent twice, the second is refused and adds nothing."""
    typed = {name: sentences.one_line(request.form.get(name, "")) for name in FIELDS}
    if typed["site"] and not caller().rights.may(Permission.ENROL, [typed["site"]]):
        return _form(typed, f"Nothing was added: you enrol devices at other sites than {typed['site']}."), 403
    try:
        device = NewDevice(
            name=typed["name"],
            site=typed["site"],
            profile=typed["profile"],
            zone=typed["zone"] or None,
            tags=tuple(each.strip() for each in typed["tags"].split(",") if each.strip()),
        )
        note = _note("device.add", device.name, {"site": device.site, "profile": device.profile})
        (token,) = devices.add_all(
            hub().database, _authority(), [device], now=hub().clock.now(), lifetime=_lifetime(), note=note
        )
    except ConflictError as error:
        return _form(typed, f"Nothing was added: {error}."), 409
    except (ConfigError, TrustError) as error:
        return _form(typed, f"Nothing was added: {error}."), 400
    return _told(token)


@pages.get("/devices/<name>/token")
@needs(Permission.ENROL, of=reach.device)
def ask_token(name: str) -> ResponseReturnValue:
    typed = kept.shown()
    return render_template(
        "token_ask.html",
        device=fleet.device(hub().database, name),
        hours=LIFETIMES,
        chosen=typed.get("hours", str(USUAL_LIFETIME)),
        objection=kept.AGAIN if typed else "",
    )


@pages.post("/devices/<name>/token")
@needs(Permission.ENROL, of=reach.device, form="enrol.ask_token")
def make_token(name: str) -> ResponseReturnValue:
    note = _note("device.token", name, {})
    return _told(devices.add_token(hub().database, _authority(), name=name, lifetime=_lifetime(), note=note))


@pages.get("/devices/<name>/retire")
@needs(Permission.RETIRE, of=reach.device)
def ask_retire(name: str) -> ResponseReturnValue:
    typed = kept.shown()
    return _retiring(name, objection=kept.AGAIN if typed else "", typed=typed.get("reason", ""))


@pages.post("/devices/<name>/retire")
@needs(Permission.RETIRE, of=reach.device, form="enrol.ask_retire")
def retire(name: str) -> ResponseReturnValue:
    """For good; what cannot be done changes nothing and says why."""
    reason = sentences.one_line(request.form.get("reason", ""))
    if fault := sentences.objection(reason):
        return _retiring(name, objection=fault, typed=reason), 400
    note = _note("device.retire", name, {"reason": reason})
    try:
        revoking.retire(hub().database, name=name, reason=reason, now=hub().clock.now(), note=note)
    except ConflictError as error:
        return _retiring(name, objection=f"Nothing was changed: {error}.", typed=reason), 409
    flash(f"{name} is retired: the hub refuses it from now on, and the broker within seconds.")
    return redirect(url_for("device.show", name=name), 303)


def _form(typed: Mapping[str, str], objection: str = "") -> str:
    return render_template(
        "enrol.html",
        typed=typed,
        objection=objection,
        profiles=sorted(profiles()),
        sites=plant.sites(hub().database, sites=seen_sites()),
        hours=LIFETIMES,
    )


def _told(token: Token) -> str:
    ends = datetime.now(UTC) + _lifetime()
    return render_template("token.html", device=token.device, token=str(token), ends=ends)


def _retiring(name: str, *, objection: str = "", typed: str = "") -> str:
    database = hub().database
    device = fleet.device(database, name)
    alarms = fleet.alarms(database, device=name, open_only=True)
    return render_template("retire.html", device=device, alarms=alarms, objection=objection, typed=typed)


def _lifetime() -> timedelta:
    text = request.form.get("hours", "")
    if text not in map(str, LIFETIMES):
        known = ", ".join(map(str, LIFETIMES))
        raise ConfigError(f"expected a token to live {known} hours, got {text[:20]!r}")
    return timedelta(hours=int(text))


def _authority() -> Authority:
    return Authority.of(hub().config.state_dir).ensure()


def _note(action: str, subject: str, detail: dict[str, Any]) -> devices.Note:
    """What the audit chain keeps of it: never the token."""
    record = hub().record

    def note(connection: Connection) -> None:
        record(connection, actor=caller().name, action=action, subject=subject, detail=detail)

    return note
