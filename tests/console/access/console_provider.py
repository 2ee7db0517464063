"""A provider of single sign-on, small but real: it signs, it checks codes and PKCE, over HTTP on loopback."""

import base64
import hashlib
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

WORDS = "Your account is hacked. Call +33 555 0199 and tell your password."  # of somebody else


class Provider:
    def __init__(self) -> None:
        self.key, self.stranger = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("ours", "ours"))
        self.codes: dict[str, dict[str, str]] = {}
        self.claims: dict[str, Any] = {}  # instead of what is true
        self.described: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "ours"}
        self.signer: Any = self.key
        self.asked_itself = 0  # what it is
        self.garbage: bytes | None = None  # instead of its description
        self.never = threading.Event()  # it answers only once this is set, unless it is from the start
        self.never.set()
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def approve(self, url: str) -> dict[str, str]:
        """What somebody's browser brings back who signed in there; no page, for it is not ours."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def _app(self) -> Flask:
        app = Flask("provider")

        @app.get("/.well-known/openid-configuration")
        def described() -> Any:
            self.asked_itself += 1
            self.never.wait(60)
            if self.garbage is not None:
                return self.garbage
            places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            urls = {name: self.issuer + path for name, path in places.items()}
            return {"issuer": self.issuer} | urls | self.described

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.post("/token")
        def token() -> Any:
            asked = self.codes.pop(request.form["code"], None)
            digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            given = request.authorization
            fits = given and (given.username, given.password) == ("hub", "s3cret")
            if not (asked and fits and challenge == asked["code_challenge"]):
                return {"error": "invalid_grant", "error_description": WORDS}, 400
            return {"access_token": "x", "token_type": "Bearer", "id_token": self._sign(asked["nonce"])}

        return app

    def _sign(self, nonce: str) -> str:
        now = int(time.time())
        true = {
            "iss": self.issuer,
            "aud": "hub",
            "sub": "42-mira",
            "nonce": nonce,
            "iat": now,
            "exp": now + 60,
        }
        claims = {name: value for name, value in (true | self.claims).items() if value is not None}
        return jwt.encode(self.header, claims, self.signer)
