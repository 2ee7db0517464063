"""Single sign-on by OpenID Connect: who somebody is at the provider, proved by its signature.

Authorization code with PKCE, a state and a nonce (OpenID Connect Core 1.0, sections 3.1 and
3.1.3.7; RFC 9700). What is told is the subject alone: whom that is here was linked by hand,
so an account at the provider is not yet a person at the hub.
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from cloud_hub.config import SsoSettings
from cloud_hub.errors import TrustError, UnreachableError

PATIENCE_S = 5.0
LEEWAY_S = 60  # between the provider's clock and ours
ALGORITHMS = (
    "RS256",
    "PS256",
    "ES256",
    "EdDSA",
)  # signed by a key of its own; never "none" or a shared secret
AT_ONCE = 3  # requests of the console that wait for the provider; each holds a thread of the listener
TURN_S = 1.0  # one more waits so long at most
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2

_turn = threading.BoundedSemaphore(AT_ONCE)  # of the process: a provider is made for every request


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a browser that was sent to the provider has to come back with."""

    url: str  # of the provider, where the browser goes
    state: str
    nonce: str
    verifier: str

    def secrets(self) -> dict[str, str]:
        """What the browser holds meanwhile, and :meth:`Provider.subject` takes back."""
        return {"state": self.state, "nonce": self.nonce, "verifier": self.verifier}


class Provider:
    """The configured provider; what it says of itself is asked anew at every sign-in."""

    def __init__(self, settings: SsoSettings, *, seconds: Callable[[], int]) -> None:
        self._settings = settings
        self._seconds = seconds  # real time, since 1970

    def ask(self) -> Asked:
        """Where to send a browser; ``UnreachableError`` where the provider does not answer."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._session() as session:
            place = self._said(session)["authorization_endpoint"]
            url, _ = session.create_authorization_url(place, state=state, nonce=nonce, code_verifier=verifier)
        return Asked(url=url, state=state, nonce=nonce, verifier=verifier)

    def subject(self, held: Mapping[str, str], *, state: str, code: str) -> str:
        """Whom the provider names; ``TrustError`` for whatever is no answer to what was ``held`` for it."""
        if not code or not hmac.compare_digest(state.encode(), held["state"].encode()):
            raise TrustError("this is no answer to a question of this browser: sign in again")
        with self._session() as session:
            said = self._said(session)
            keys = self._json(session, said["jwks_uri"])
            try:
                place = said["token_endpoint"]
                how = {"timeout": PATIENCE_S, "allow_redirects": False}
                told = session.fetch_token(place, code=code, code_verifier=held["verifier"], **how)
            except OAuthError as error:
                raise TrustError(
                    f"{self._settings.issuer} takes the code for none of its own: {error}"
                ) from error
            except (requests.RequestException, ValueError) as error:
                raise self._away(error) from error
        return self._verified(told, keys, held["nonce"])

    def _verified(self, told: Mapping[str, Any], keys: Any, nonce: str) -> str:
        wanted: dict[str, Any] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
            "nonce": {"essential": True, "value": nonce},
            **{name: {"essential": True} for name in ("exp", "iat", "sub")},
        }
        try:
            token = jwt.decode(told["id_token"], KeySet.import_key_set(keys), algorithms=ALGORITHMS)
            registry = jwt.JWTClaimsRegistry(now=self._seconds, leeway=LEEWAY_S, **wanted)
            registry.validate(token.claims)
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise TrustError(f"the answer of {self._settings.issuer} cannot be believed: {error}") from error
        audience, party = token.claims["aud"], token.claims.get("azp", self._settings.client_id)
        if party != self._settings.client_id or (isinstance(audience, list) and len(audience) > 1):
            raise TrustError(f"the answer of {self._settings.issuer} was made for others as well")
        subject = token.claims["sub"]
        if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
            raise TrustError(f"{self._settings.issuer} names nobody that could be linked")
        return str(subject)

    @contextmanager
    def _session(self) -> Iterator[OAuth2Session]:
        """``UnreachableError`` while others keep every turn."""
        secret = self._settings.client_secret_file
        if not _turn.acquire(timeout=TURN_S):
            raise UnreachableError("too many people sign in at this moment: try again in a few seconds")
        try:
            with OAuth2Session(
                self._settings.client_id,
                secret.read_text().strip() if secret else None,
                scope="openid",
                redirect_uri=self._settings.back_url,
                code_challenge_method="S256",
            ) as session:
                yield session
        finally:
            _turn.release()

    def _said(self, session: OAuth2Session) -> Mapping[str, Any]:
        """The provider's own description; every endpoint is as safe as the issuer."""
        said = self._json(session, f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        if said.get("issuer") != self._settings.issuer:
            raise TrustError(
                f"expected issuer {self._settings.issuer}, got {str(said.get('issuer'))[:200]!r}"
            )
        scheme = self._settings.issuer.partition("://")[0]
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not str(said.get(name, "")).startswith((f"{scheme}://", "https://")):
                raise TrustError(f"expected {name} over {scheme}, got {str(said.get(name))[:200]!r}")
        return said

    def _json(self, session: OAuth2Session, url: str) -> Mapping[str, Any]:
        try:
            answer = session.get(url, withhold_token=True, timeout=PATIENCE_S, allow_redirects=False)
            answer.raise_for_status()
            said = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise self._away(error) from error
        if not isinstance(said, dict):
            raise self._away(ValueError("no JSON object"))
        return said

    def _away(self, error: Exception) -> UnreachableError:
        why = " ".join(str(error).split())[:200]
        return UnreachableError(f"{self._settings.issuer} does not answer as it should: {why}")
