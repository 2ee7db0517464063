"""Devices, many on a page after the other: health, what each runs, how far behind it is."""

from datetime import UTC, datetime

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console import listing
from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub, seen_sites
from cloud_hub.identity import endings
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import device_list, plant

pages = Blueprint("devices", __name__)


@pages.get("/devices")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    database, sites = hub().database, seen_sites()
    asked = listing.asked((*device_list.FILTERS, "state"), {"state": device_list.STATES})
    states = (asked["state"],) if asked["state"] else device_list.IN_SERVICE
    counts = device_list.counts(database, asked, sites=sites)
    part = listing.Part(asked=listing.page_number(), total=sum(counts.get(state, 0) for state in states))
    profiles, versions = device_list.kinds(database, sites=sites)
    listed = device_list.page(database, asked, states=states, size=part.size, offset=part.offset, sites=sites)
    real_now = datetime.now(UTC)  # certificates end in real time
    return render_template(
        "devices.html",
        asked=asked,
        part=part,
        link=listing.link,
        devices=[(each, endings.warning(each, real_now)) for each in listed],
        counts=counts,
        state_names=device_list.STATES,
        sites=plant.sites(database, sites=sites),
        profiles=profiles,
        versions=versions,
    )
