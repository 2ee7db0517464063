"""One machine: what it says, what is foreseen, what happened; and the parts of its page that keep current."""

from datetime import datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import kept, moments, reach
from cloud_hub.console.gate import needs
from cloud_hub.console.machines import machine_view
from cloud_hub.console.machines.machine_view import LOG, Form
from cloud_hub.identity.people.permissions import Permission

pages = Blueprint("machine", __name__, url_prefix="/machines")


@pages.app_template_filter("there")
def there(time: datetime, zone: str) -> str:
    return moments.there(time, zone)


@pages.get("/<name>")
@needs(Permission.SEE, of=reach.machine)
def show(name: str) -> ResponseReturnValue:
    typed = kept.shown()
    form = Form(name=typed.get("alarm", LOG), objection=kept.AGAIN, typed=typed) if typed else None
    return page(name, form)


@pages.get("/<name>/now")
@needs(Permission.SEE, of=reach.machine)
def now(name: str) -> ResponseReturnValue:
    return render_template("machine_now.html", **machine_view.now(name))


@pages.get("/<name>/history")
@needs(Permission.SEE, of=reach.machine)
def history(name: str) -> ResponseReturnValue:
    current = machine_view.now(name)
    span, _ = machine_view.span_or_objection()
    told = machine_view.history(current["machine"], span, current["outlook"])
    return render_template("machine_history.html", **current | told)


def page(name: str, form: Form | None = None, status: int = 200) -> ResponseReturnValue:
    """The whole page; ``form`` is one that was sent and did not do, shown again."""
    values = machine_view.whole(name, form)
    return render_template("machine.html", **values), 400 if values["objection"] else status
