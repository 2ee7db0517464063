"""The fleet at a glance: what needs someone first, and how the devices are."""

from collections import Counter
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import outlooks
from cloud_hub.console.gate import needs
from cloud_hub.console.here import SQL, hub, seen_sites
from cloud_hub.console.outlooks import Meaning
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import fleet
from cloud_hub.store.database import Database

pages = Blueprint("fleet", __name__)


@pages.get("/")
@needs(Permission.SEE)
def show() -> ResponseReturnValue:
    database = hub().database
    machines = _machines(database)
    sites = seen_sites()
    devices = fleet.devices(database, sites=sites)
    return render_template(
        "fleet.html",
        machines=machines,
        devices=[device for device in devices if device.retired is None],
        retired=sum(device.retired is not None for device in devices),
        states=Counter(each["state"] for each in machines),
        incidents=fleet.incidents(database, most=20, sites=sites),
        events=fleet.events(database, most=12, sites=sites),
    )


def meanings(database: Database) -> dict[str, Meaning]:
    """By release."""
    return {row["release"]: Meaning.of(row) for row in database.rows(SQL["releases"])}


def _machines(database: Database) -> list[dict[str, Any]]:
    machines = fleet.machines(database, sites=seen_sites())
    known, scales = meanings(database), outlooks.scales(machines)
    trends = {row["name"]: row["lives"] for row in database.rows(SQL["trends"])}
    shown = []
    for machine in machines:
        outlook = machine.outlook
        meaning = known.get(outlook.release, Meaning()) if outlook else Meaning()
        lives = [life for life in trends.get(machine.name, ()) if life is not None]
        shown.append(
            {
                "machine": machine,
                "outlook": outlook,
                "state": outlooks.state(machine, meaning),
                "unit": meaning.unit,
                "band": outlooks.band(outlook, scales[outlook.use_case]) if outlook else None,
                "spark": outlooks.sparkline(lives),
            }
        )
    order = (outlooks.ALARM, outlooks.WATCH, outlooks.SILENT, outlooks.HEALTHY, outlooks.UNKNOWN)
    rank = {state: place for place, state in enumerate(order)}
    return sorted(shown, key=lambda each: rank[str(each["state"])])
