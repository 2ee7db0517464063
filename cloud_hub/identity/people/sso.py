"""Single sign-on by OpenID Connect: who somebody is at the provider, proved by its signature.

Authorization code with PKCE, a state and a nonce (OpenID Connect Core 1.0, sections 3.1 and
3.1.3.7; RFC 9700). What is told is the subject alone: whom that is here was linked by hand,
so an account at the provider is not yet a person at the hub. What a provider says of a failure goes to the
log: whoever reads the page is a stranger yet, and the words would be somebody else's.

A provider that is slow or says without end holds no thread of the listener for longer than ``WHOLE_S``.
"""

import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
import structlog
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests.adapters import HTTPAdapter

from cloud_hub.config import SsoSettings
from cloud_hub.errors import TrustError, UnreachableError

PATIENCE_S = 5.0  # for each piece of an answer
WHOLE_S = 12.0  # for all that one sign-in asks
LARGEST = 1 << 20  # bytes of an answer
HOLDS_S = 300.0  # what a provider says of itself
LEEWAY_S = 60  # between the provider's clock and ours
ALGORITHMS = (
    "RS256",
    "PS256",
    "ES256",
    "EdDSA",
)  # signed by a key of its own; never "none" or a shared secret
AT_ONCE = 3  # requests of the console that wait for the provider; each holds a thread of the listener
TURN_S = 1.0  # one more waits so long at most
AGAIN = "takes the code for none of its own: sign in again"
NOT_ITS_CLIENT = "does not take this hub for its client: tell whoever runs the hub (web.sso, and its log)"
WHY = dict.fromkeys(("invalid_client", "unauthorized_client"), NOT_ITS_CLIENT)  # RFC 6749, section 5.2
LONGEST_SUBJECT = 255  # OpenID Connect Core 1.0, section 2

# Of the process: a provider is made for every request.
_turn = threading.BoundedSemaphore(AT_ONCE)
_asking = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="console-sso")
_described: dict[str, tuple[float, Mapping[str, Any]]] = {}  # by issuer: when it was told, and what

log = structlog.get_logger()
Told = TypeVar("Told")


def forget() -> None:
    """Ask anew what providers say of themselves."""
    _described.clear()


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
        return self._in_time(self._ask)

    def subject(self, held: Mapping[str, str], *, state: str, code: str) -> str:
        """Whom the provider names; ``TrustError`` for whatever is no answer to what was ``held`` for it."""
        if not code or not hmac.compare_digest(state.encode(), held["state"].encode()):
            raise TrustError("this is no answer to a question of this browser: sign in again")
        return self._in_time(lambda: self._subject(held, code))

    def _ask(self) -> Asked:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._session() as session:
            place = self._said(session)["authorization_endpoint"]
            url, _ = session.create_authorization_url(place, state=state, nonce=nonce, code_verifier=verifier)
        return Asked(url=url, state=state, nonce=nonce, verifier=verifier)

    def _subject(self, held: Mapping[str, str], code: str) -> str:
        with self._session() as session:
            said = self._said(session)
            keys = self._json(session, said["jwks_uri"])
            try:
                place = said["token_endpoint"]
                how = {"timeout": PATIENCE_S, "allow_redirects": False}
                told = session.fetch_token(place, code=code, code_verifier=held["verifier"], **how)
            except OAuthError as error:
                raise self._refused(WHY.get(error.error, AGAIN), error) from error
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
            raise self._refused("gave an answer that cannot be believed", error) from error
        audience, party = token.claims["aud"], token.claims.get("azp", self._settings.client_id)
        if party != self._settings.client_id or (isinstance(audience, list) and len(audience) > 1):
            raise TrustError("the answer of the provider was made for others as well")
        subject = token.claims["sub"]
        if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
            raise TrustError("the provider names nobody that could be linked")
        return str(subject)

    def _in_time(self, work: Callable[[], Told]) -> Told:
        """``UnreachableError`` while others keep every turn, and where it takes too long."""
        if not _turn.acquire(timeout=TURN_S):
            raise UnreachableError("too many people sign in at this moment: try again in a few seconds")
        asked = _asking.submit(work)
        asked.add_done_callback(lambda _: _turn.release())  # only then: what goes on holds its turn
        try:
            return asked.result(WHOLE_S)
        except TimeoutError as error:
            raise self._away(error) from error

    @contextmanager
    def _session(self) -> Iterator[OAuth2Session]:
        secret = self._settings.client_secret_file
        with OAuth2Session(
            self._settings.client_id,
            secret.read_text().strip() if secret else None,
            scope="openid",
            redirect_uri=self._settings.back_url,
            code_challenge_method="S256",
        ) as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, _Bounded())
            yield session

    def _said(self, session: OAuth2Session) -> Mapping[str, Any]:
        """The provider's own description, minutes old at most; every endpoint is as safe as the issuer."""
        issuer = self._settings.issuer
        told, said = _described.get(issuer, (0.0, {}))
        if not said or time.monotonic() - told > HOLDS_S:
            said = self._json(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            self._check_said(said)
            _described[issuer] = (time.monotonic(), said)
        return said

    def _check_said(self, said: Mapping[str, Any]) -> None:
        if said.get("issuer") != self._settings.issuer:
            got = str(said.get("issuer"))[:200]
            raise self._refused("calls itself otherwise than expected", ValueError(f"issuer {got!r}"))
        scheme = self._settings.issuer.partition("://")[0]
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not str(said.get(name, "")).startswith((f"{scheme}://", "https://")):
                got = str(said.get(name))[:200]
                raise self._refused(f"names no {name} over {scheme}, as expected", ValueError(got))

    def _json(self, session: OAuth2Session, url: str) -> Mapping[str, Any]:
        try:
            answer = session.get(url, withhold_token=True, timeout=PATIENCE_S, allow_redirects=False)
            answer.raise_for_status()
            said = answer.json()
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise self._away(error) from error
        if not isinstance(said, dict):
            raise self._away(ValueError("no JSON object"))
        return said

    def _refused(self, why: str, error: Exception) -> TrustError:
        log.warning("provider is not believed", issuer=self._settings.issuer, why=why, reason=_words(error))
        return TrustError(f"the provider of single sign-on {why}")

    def _away(self, error: Exception) -> UnreachableError:
        log.warning("provider does not answer", issuer=self._settings.issuer, reason=_words(error))
        return UnreachableError(
            "the provider of single sign-on does not answer as it should: try again, or sign in by a password"
        )


class _Bounded(HTTPAdapter):
    """Takes no more of an answer than could be of use."""

    def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]  # names of what it hands on
        answer = super().send(request, **how | {"stream": True})
        found = bytearray()
        for piece in answer.iter_content(1 << 14):
            found += piece
            if len(found) > LARGEST:
                answer.close()
                raise requests.ConnectionError(f"more than {LARGEST} bytes from {request.url}")
        answer._content = bytes(found)  # as requests itself keeps it
        return answer


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]
