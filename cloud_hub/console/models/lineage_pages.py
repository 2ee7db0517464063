"""Where a release comes from and what became of it, as a graph and as a table that says the same."""

import psycopg
from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from cloud_hub.console.gate import needs
from cloud_hub.console.here import caller, hub
from cloud_hub.console.models import lineage_view
from cloud_hub.console.models.model_pages import traced
from cloud_hub.console.models.model_view import SQL as MODELS
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.registry.models import Registry

PATIENCE = "SET LOCAL statement_timeout = '200ms'"  # counting tens of millions of rows is not for a page

pages = Blueprint("lineage", __name__, url_prefix="/models/<use_case>/<int:version>/lineage")


@pages.get("")
@needs(Permission.SEE)
def release(use_case: str, version: int) -> ResponseReturnValue:
    found = traced(use_case, version)
    return render_template(
        "lineage.html",
        title=found.model.release,
        lineage=lineage_view.of_release(found),
        release=found.model,
        dataset=None,
        counts=caller().rights.sites(Permission.SEE) is None,
    )


@pages.get("/predictions")
@needs(Permission.SEE)
def predictions(use_case: str, version: int) -> ResponseReturnValue:
    """How many predictions name a release: asked for by itself, as that may take too long."""
    model = Registry(hub().database, hub().artifacts, hub().clock).get(f"{use_case}/{version}")
    counted = None
    if caller().rights.sites(Permission.SEE) is None:
        try:
            with hub().database.transaction() as connection:
                connection.execute(PATIENCE)
                row = connection.execute(MODELS["predicted"], {"release": model.release}).fetchone()
                counted = row["predictions"] if row else None
        except psycopg.errors.QueryCanceled:
            counted = None
    return render_template("lineage_count.html", model=model, counted=counted)
