"""What a device reaches over HTTPS: the authority, enrolment, signed metadata and bundles.

    GET  /ca.crt             the authority's certificate; a token pins it
    POST /enroll             {token, csr} -> {certificate, ca, root, device, site, zone, ...}
    POST /renew              {certificate, csr} -> {certificate, device, site, zone, profile}
    GET  /metadata/<name>    TUF metadata
    GET  /targets/<path>     bundles, with range requests

Metadata and bundles are public and signed, so a static host can serve them as
well. Every error is a JSON object with one sentence.
"""

import json
import math
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, DatabaseAwayError, HubError, TrustError, UnreachableError
from cloud_hub.identity import certifying
from cloud_hub.identity.arriving import Arriving
from cloud_hub.identity.ca import LONGEST_REQUEST, Authority
from cloud_hub.identity.certifying import Certified
from cloud_hub.identity.throttle import Throttle
from cloud_hub.identity.tokens import Token
from cloud_hub.store.database import Database
from wire.clock import Clock

LARGEST_BODY = LONGEST_REQUEST + 2048
METADATA_NAME = re.compile(r"(?:[0-9]{1,15}\.)?[a-z][a-z0-9-]{0,63}\.json")
PATH_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,200}")
DEEPEST_PATH = 6
AT_ONCE = 64  # requests on their way, each of which holds a thread of the listener; half of them
OF_ONE = 32  # from one address, which a whole hall of devices may share
FAILURES = (403, 409, 413)  # what a peer is refused for; not that the hub is in trouble
FOREVER = 365 * 86400  # seconds; a versioned or hashed name never changes its contents

log = structlog.get_logger()


def create_device_app(config: HubConfig, database: Database, clock: Clock | None = None) -> Flask:
    """The WSGI application of the device listener; it is to be served over TLS only."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.register_blueprint(_certification(config, database, clock or config.time()))
    app.register_blueprint(_repository(config.state_dir / "repository"))
    app.register_error_handler(HubError, _explain)
    app.register_error_handler(HTTPException, _explain_http)
    return app


def _certification(config: HubConfig, database: Database, clock: Clock) -> Blueprint:
    """What needs the authority's key. Who keeps failing is not listened to for a while."""
    pages = Blueprint("certification", __name__)
    authority = Authority.of(config.state_dir)
    lifetime = timedelta(days=config.devices.certificate_days)
    throttle, arriving = Throttle(), Arriving(at_once=AT_ONCE, of_one=OF_ONE)

    @pages.before_request
    def refuse_flood() -> ResponseReturnValue | None:
        """Refuse who keeps failing, and who begins requests without ending them."""
        if request.method != "POST":
            return None
        wait_s = throttle.wait_s(_peer(), time.monotonic())
        if wait_s:
            return _too_often(wait_s)
        with arriving.place(_peer()) as there:
            if there:
                request.get_data()  # kept for the view
        return None if there else _too_many()

    @pages.after_request
    def count_failure(response: Response) -> Response:
        if request.method == "POST" and response.status_code in FAILURES:
            throttle.failed(_peer(), time.monotonic())
        return response

    @pages.get("/ca.crt")
    def certificate() -> ResponseReturnValue:
        return Response(authority.certificate, mimetype="application/x-pem-file")

    @pages.post("/enroll")
    def enroll() -> ResponseReturnValue:
        token, csr = _fields(request.get_data(), "token", "csr")
        redeemed, root = Token.parse(token), _root(config.state_dir / "repository")
        certified = certifying.enrol(
            database, authority, token=redeemed, csr=csr.encode(), now=clock.now(), lifetime=lifetime
        )
        log.info("device enrolled", device=certified.device.name, site=certified.device.site)
        host, port, tls = _broker(config)
        return _answer(certified) | {
            "ca": authority.certificate.decode(),
            "root": root,
            "broker_host": host,
            "broker_port": port,
            "broker_tls": tls,
            "time_us": clock.now_us(),
        }

    @pages.post("/renew")
    def renew() -> ResponseReturnValue:
        presented, csr = _fields(request.get_data(), "certificate", "csr")
        certified = certifying.renew(
            database, authority, certificate=presented.encode(), csr=csr.encode(), lifetime=lifetime
        )
        log.info("certificate renewed", device=certified.device.name)
        return _answer(certified)

    return pages


def _repository(folder: Path) -> Blueprint:
    """Public and signed: a static host can serve the same."""
    pages = Blueprint("repository", __name__)

    @pages.get("/metadata/<name>")
    def metadata(name: str) -> ResponseReturnValue:
        if not METADATA_NAME.fullmatch(name):
            return _missing(name)
        return _file(folder / "metadata" / name, fixed=name[0].isdigit())

    @pages.get("/targets/<path:path>")
    def targets(path: str) -> ResponseReturnValue:
        parts = path.split("/")
        if len(parts) > DEEPEST_PATH or not all(PATH_PART.fullmatch(part) for part in parts):
            return _missing(path)
        return _file((folder / "targets").joinpath(*parts), fixed=True)

    return pages


def _answer(certified: Certified) -> dict[str, Any]:
    device = certified.device
    return {
        "certificate": certified.certificate.decode(),
        "device": device.name,
        "site": device.site,
        "zone": device.zone,
        "profile": device.profile,
    }


def _fields(body: bytes, *names: str) -> list[str]:
    """These fields of a JSON object, as text."""
    try:
        fields: Any = json.loads(body)
        return [str(fields[name]) for name in names]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        expected = ", ".join(f'"{name}": ...' for name in names)
        raise TrustError(f"expected {{{expected}}}, got something else") from error


def _peer() -> str:
    return request.remote_addr or ""


def _too_often(wait_s: float) -> ResponseReturnValue:
    """No line in the log: that is what is to be spared."""
    sentence = f"too many refusals from this address: come again in {math.ceil(wait_s)} s"
    return {"error": sentence}, 429, {"Retry-After": str(math.ceil(wait_s))}


def _too_many() -> ResponseReturnValue:
    sentence = "too many requests are on their way at this moment: send it again"
    return {"error": sentence}, 503, {"Retry-After": "5", "Connection": "close"}


def _root(repository: Path) -> str:
    try:
        return (repository / "metadata" / "root.json").read_text()
    except FileNotFoundError as error:
        raise UnreachableError("the hub has no keys to sign with yet: run `andon keys init` there") from error


def _broker(config: HubConfig) -> tuple[str, int, bool]:
    if config.broker.host:
        return config.broker.host, config.broker.port, True
    running = config.endpoints()
    return running.broker_host, running.broker_port, running.broker_tls


def _file(path: Path, *, fixed: bool) -> ResponseReturnValue:
    """``path``, whole or the range asked for; links lead nowhere."""
    if path.is_symlink() or not path.is_file():
        return _missing(path.name)
    response = send_file(path, mimetype="application/octet-stream", conditional=True)
    response.cache_control.max_age = FOREVER if fixed else 0
    response.cache_control.no_cache = None if fixed else True
    return response


def _missing(name: str) -> ResponseReturnValue:
    return {"error": f"nothing named {name[:80]!r} here"}, 404


def _explain(error: HubError) -> ResponseReturnValue:
    log.warning("device refused", path=request.path, peer=request.remote_addr, reason=str(error))
    if isinstance(error, DatabaseAwayError):  # where it is goes to the log alone
        return {"error": "the hub's database does not answer"}, 503
    if isinstance(error, UnreachableError):
        return {"error": str(error)}, 503
    return {"error": str(error)}, 409 if isinstance(error, ConflictError) else 403


def _explain_http(error: HTTPException) -> ResponseReturnValue:
    return {"error": f"{error.name}: {request.method} {request.path[:80]}"}, error.code or 500
