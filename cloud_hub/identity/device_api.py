"""What a device reaches over HTTPS: the authority, enrolment, signed metadata and bundles.

    GET  /ca.crt             the authority's certificate; a token pins it
    POST /enroll             {token, csr} -> {certificate, ca, root, device, site, ...}
    GET  /metadata/<name>    TUF metadata
    GET  /targets/<path>     bundles, with range requests

Everything but enrolment is public and signed, so a static host can serve it as
well. Every error is a JSON object with one sentence.
"""

import json
import re
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConflictError, HubError, TrustError, UnreachableError
from cloud_hub.identity import devices
from cloud_hub.identity.ca import LONGEST_REQUEST, Authority
from cloud_hub.identity.tokens import Token
from cloud_hub.store.database import Database
from wire.clock import Clock

LARGEST_BODY = LONGEST_REQUEST + 2048
METADATA_NAME = re.compile(r"(?:[0-9]{1,15}\.)?[a-z][a-z0-9-]{0,63}\.json")
PATH_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,200}")
DEEPEST_PATH = 6
FOREVER = 365 * 86400  # seconds; a versioned or hashed name never changes its contents

log = structlog.get_logger()


def create_device_app(config: HubConfig, database: Database, clock: Clock | None = None) -> Flask:
    """The WSGI application of the device listener; it is to be served over TLS only."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    authority = Authority.of(config.state_dir)
    repository = config.state_dir / "repository"
    time = clock or config.time()

    @app.get("/ca.crt")
    def certificate() -> ResponseReturnValue:
        return Response(authority.certificate, mimetype="application/x-pem-file")

    @app.post("/enroll")
    def enroll() -> ResponseReturnValue:
        token, csr = _enrolment(request.get_data())
        root = _root(repository)
        enrolled = devices.enrol(database, authority, token=token, csr=csr, now=time.now())
        host, port, tls = _broker(config)
        log.info("device enrolled", device=enrolled.device.name, site=enrolled.device.site)
        return {
            "certificate": enrolled.certificate.decode(),
            "ca": authority.certificate.decode(),
            "root": root,
            "device": enrolled.device.name,
            "site": enrolled.device.site,
            "profile": enrolled.device.profile,
            "broker_host": host,
            "broker_port": port,
            "broker_tls": tls,
            "time_us": time.now_us(),
        }

    @app.get("/metadata/<name>")
    def metadata(name: str) -> ResponseReturnValue:
        if not METADATA_NAME.fullmatch(name):
            return _missing(name)
        return _file(repository / "metadata" / name, fixed=name[0].isdigit())

    @app.get("/targets/<path:path>")
    def targets(path: str) -> ResponseReturnValue:
        parts = path.split("/")
        if len(parts) > DEEPEST_PATH or not all(PATH_PART.fullmatch(part) for part in parts):
            return _missing(path)
        return _file((repository / "targets").joinpath(*parts), fixed=True)

    app.register_error_handler(HubError, _explain)
    app.register_error_handler(HTTPException, _explain_http)
    return app


def _enrolment(body: bytes) -> tuple[Token, bytes]:
    try:
        fields: Any = json.loads(body)
        return Token.parse(str(fields["token"])), str(fields["csr"]).encode()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise TrustError('expected {"token": ..., "csr": ...}, got something else') from error


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
    if isinstance(error, UnreachableError):
        return {"error": str(error)}, 503
    return {"error": str(error)}, 409 if isinstance(error, ConflictError) else 403


def _explain_http(error: HTTPException) -> ResponseReturnValue:
    return {"error": f"{error.name}: {request.method} {request.path[:80]}"}, error.code or 500
