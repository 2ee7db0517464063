"""For those who watch the watcher: is it up, can it serve, and a few figures of the fleet."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from cloud_hub.console.gate import needs, open_to_all
from cloud_hub.console.here import SQL, hub
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import migrate

pages = Blueprint("health", __name__)

HELP = {
    "devices": "devices in service",
    "devices_online": "devices in service that are online",
    "machines": "machines of devices in service",
    "alarms_open": "alarms that are open",
    "incidents_open": "incidents that are open",
    "quarantined": "messages waiting in quarantine",
    "rejected": "messages and series that were not stored",
    "rollouts_running": "rollouts that are running",
}


@pages.get("/healthz")
@open_to_all
def healthz() -> ResponseReturnValue:
    """Whether this process serves and its database answers."""
    hub().database.row("SELECT 1 AS one")
    return {"status": "ok"}


@pages.get("/readyz")
@open_to_all
def readyz() -> ResponseReturnValue:
    """Whether it can serve pages: the database answers, with the schema that this code wants."""
    lacking = migrate.missing(hub().database)
    if lacking:
        return {"status": "not ready", "missing_migrations": list(lacking)}, 503
    return {"status": "ready"}


@pages.get("/metrics")
@needs(Permission.METRICS)
def metrics() -> ResponseReturnValue:
    registry = CollectorRegistry()
    for name, value in (hub().database.row(SQL["figures"]) or {}).items():
        Gauge(f"andon_{name}", HELP[name], registry=registry).set(value)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
