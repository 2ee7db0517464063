"""Storage and retention: how much is kept of what, for how long, what goes next, whether the disk lasts."""

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console.gate import needs
from cloud_hub.console.here import hub
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import storage
from cloud_hub.store.outgrowing import foresee

pages = Blueprint("storage", __name__, url_prefix="/data/storage")

HOLDS: Mapping[str, str] = MappingProxyType(
    {
        "sample": "what sensors read",
        "feature": "what models learn from and answer to",
        "prediction": "what models said",
        "rollup_minute": "each minute of a signal, for charts",
        "rollup_hour": "each hour of a signal, for charts of months",
    }
)
SETTING: Mapping[str, str] = MappingProxyType(
    {
        "sample": "raw_retention_days",
        "feature": "row_retention_days",
        "prediction": "row_retention_days",
        "rollup_minute": "rollup_minute_days",
        "rollup_hour": "rollup_hour_days",
    }
)


@pages.get("")
@needs(Permission.SEE)
def index() -> ResponseReturnValue:
    config, clock, database = hub().config.store, hub().clock, hub().database
    found = storage.look(database, config, clock)
    free = storage.free_bytes(database)
    return render_template(
        "storage.html",
        found=found,
        outlook=foresee(found.tables, free, clock.now()),
        free=free,
        settings=config,
        holds=HOLDS,
        setting=SETTING,
        scaled=clock.rate() != 1,
    )
