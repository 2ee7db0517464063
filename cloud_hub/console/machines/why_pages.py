"""Why the newest prediction for a machine is what it is: a piece of its page."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.errors import HubError
from cloud_hub.flows.explaining import Told, explain_newest
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.training.explain import Explanation

MOST_SIGNALS = 8  # of each output, the strongest

pages = Blueprint("why", __name__)


@pages.get("/machines/<name>/why/<use_case>")
@needs(Permission.SEE, of=reach.machine)
def show(name: str, use_case: str) -> ResponseReturnValue:
    """What cannot be explained says why, in place of the piece."""
    try:
        told = explain_newest(hub(), name, use_case)
    except HubError as error:
        return render_template("why.html", told=None, reason=str(error), outputs=[])
    return render_template("why.html", told=told, reason="", outputs=_shown(told))


def _shown(told: Told) -> list[dict[str, Any]]:
    return [
        {
            "name": name.replace("_", " "),
            "unit": told.units[name],
            "found": found,
            "bars": _bars(found),
            "idle": found.idle,
        }
        for name, found in told.outputs.items()
    ]


def _bars(found: Explanation) -> list[dict[str, Any]]:
    """Each effect with its bar on a scale from -50 to 50."""
    most = found.strongest
    return [
        {
            "signal": signal,
            "effect": effect,
            "left": round(50 + min(effect, 0.0) / most * 50, 1),
            "width": round(abs(effect) / most * 50, 1),
        }
        for signal, effect in list(found.telling.items())[:MOST_SIGNALS]
    ]
