"""The hub behind the request at hand."""

from flask import current_app

from cloud_hub.hub import Hub
from cloud_hub.store.database import load_queries

SQL = load_queries("cloud_hub.console")


def hub() -> Hub:
    found: Hub = current_app.extensions["hub"]
    return found
