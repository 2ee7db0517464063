"""One device: what it runs, what it reported, why it went back, what of it could not be kept."""

from datetime import UTC, datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import reach
from cloud_hub.console.gate import needs
from cloud_hub.console.here import SQL, hub
from cloud_hub.identity import endings
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.rollout import read
from cloud_hub.store import fleet

pages = Blueprint("device", __name__, url_prefix="/devices")


@pages.get("/<name>")
@needs(Permission.SEE, of=reach.device)
def show(name: str) -> ResponseReturnValue:
    database = hub().database
    device = fleet.device(database, name)
    return render_template(
        "device.html",
        device=device,
        certificate_warning=endings.warning(device, datetime.now(UTC)),
        journal=read.journal(database, name),
        rejections=read.rejections(database, name),
        gaps=fleet.gaps(database, device=name, most=50),
        epochs=database.rows(SQL["epochs"], {"device": name}),
        incidents=fleet.incidents(database, device=name, open_only=False, most=20),
    )
