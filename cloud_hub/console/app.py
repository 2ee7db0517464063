"""The console as a Flask app around a Hub: blueprints, words for numbers, errors as pages."""

import psycopg
import structlog
from flask import Flask, current_app, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cloud_hub.console import (
    api_pages,
    bodies,
    cookies,
    gate,
    headers,
    health,
    live,
    navigation,
    search_pages,
    vendor,
    words,
)
from cloud_hub.console.answers import problem
from cloud_hub.console.api import areas as api
from cloud_hub.console.data import data_pages, quarantine_pages, storage_pages
from cloud_hub.console.devices import device_pages, devices_pages, enrol_pages
from cloud_hub.console.machines import capture_pages, machine_pages, saying_pages, why_pages
from cloud_hub.console.models import (
    comparison_pages,
    deciding_pages,
    lineage_pages,
    model_pages,
    whatif_pages,
)
from cloud_hub.console.people import account_pages, login_pages, people_pages, sso_pages
from cloud_hub.console.plant import fleet_pages, ranking
from cloud_hub.console.records import audit_pages, jobs_pages
from cloud_hub.console.rollouts import rollout_pages, start_pages
from cloud_hub.console.sentences import sentence
from cloud_hub.errors import DatabaseAwayError, HubError, NotFoundError, UnreachableError
from cloud_hub.governance.chain import Chain
from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Permission

LARGEST_BODY = 64 << 10
PAGES = (
    fleet_pages,
    machine_pages,
    saying_pages,
    why_pages,
    capture_pages,
    device_pages,
    model_pages,
    comparison_pages,
    lineage_pages,
    deciding_pages,
    whatif_pages,
    rollout_pages,
    start_pages,
    data_pages,
    quarantine_pages,
    storage_pages,
    devices_pages,
    enrol_pages,
    jobs_pages,
    audit_pages,
    search_pages,
    api,
    api_pages,
    live,
    health,
    login_pages,
    sso_pages,
    account_pages,
    people_pages,
)

log = structlog.get_logger()


def create_app(hub: Hub, office: Office | None = None) -> Flask:
    """``office`` where a test has one with another clock or quicker passwords."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.extensions["hub"] = hub
    app.extensions["office"] = office or Office.of(hub.database, hub.config.web, record=hub.record)
    app.extensions["ranking"] = ranked = ranking.Ranking(hub.database, hub.clock)
    app.extensions["pulse"] = live.Pulse(hub.database, hub.clock, prepare=ranked.look)
    app.extensions["chain"] = Chain(hub.database)
    cookies.prepare(app, hub.config)
    headers.secure(app)
    bodies.guard(app)
    gate.guard(app)
    for stage in PAGES:
        app.register_blueprint(stage.pages)
    app.add_url_rule("/favicon.ico", "icon", lambda: app.send_static_file("andon.svg"))
    words.teach(app)
    app.context_processor(lambda: {"now": hub.clock.now(), "vendored": vendor.present()})
    app.context_processor(lambda: {"navigation": navigation.ENTRIES})
    app.context_processor(
        lambda: {"csrf": cookies.form_token(), "caller": g.get("caller"), "Permission": Permission}
    )
    app.register_error_handler(HubError, _explain)
    app.register_error_handler(HTTPException, _explain_http)
    app.register_error_handler(DatabaseAwayError, _explain_database)
    app.register_error_handler(psycopg.OperationalError, _explain_database)
    app.register_error_handler(Exception, _explain_bug)
    return app


def _explain(error: HubError) -> ResponseReturnValue:
    if isinstance(error, NotFoundError):
        return problem("Not here", f"There is {error}.", 404)
    if isinstance(error, UnreachableError):
        return problem("Not reachable", sentence(str(error)), 503)
    return problem("Not done", sentence(str(error)), 409)


def _explain_http(error: HTTPException) -> ResponseReturnValue:
    if error.code == 404:
        return problem("Not here", "There is no such page.", 404)
    sentence = error.description or "The request could not be served."
    told = current_app.make_response(problem(error.name, sentence, error.code or 500))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        told.headers["Allow"] = ", ".join(error.valid_methods)
    return told


def _explain_database(error: psycopg.OperationalError | DatabaseAwayError) -> ResponseReturnValue:
    """Where the database is goes to the log alone: whoever may sign in cannot be told from strangers now."""
    log.warning("database did not answer", path=request.path, reason=" ".join(str(error).split()))
    return problem("Not reachable", "The database does not answer; this page works again when it does.", 503)


def _explain_bug(error: Exception) -> ResponseReturnValue:
    log.error("request failed", path=request.path, exc_info=error)
    return problem("Our mistake", "This page failed; the reason is in the hub's web log.", 500)
