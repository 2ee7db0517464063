"""The hub asks its own scoring service: over its listener, with its own certificate, in a bounded time."""

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from cloud_hub.errors import ConflictError, TrustError, UnreachableError
from wire.errors import MessageError
from wire.scoring import LARGEST, MEDIA_TYPE, PATH, Answer, Question, refusal_of

START = "start it with `andon hub serve`, or set serving.listen and start the hub again"


def url_of(state_dir: Path) -> str:
    """Where the scoring service of this hub listens; empty where none does."""
    try:
        return str(json.loads((state_dir / "run" / "scoring.json").read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The scoring service that runs beside this process, and the certificate it is asked with."""

    host: str
    port: int
    tls: ssl.SSLContext
    timeout_s: float = 5.0

    @classmethod
    def of(cls, state_dir: Path) -> "Service":
        """The one that noted where it listens; ``UnreachableError`` where none did."""
        place = urlsplit(url_of(state_dir))
        if not place.hostname:
            raise UnreachableError(f"no scoring service runs here: {START}")
        return cls(host=place.hostname, port=place.port or 0, tls=_tls(state_dir / "identity"))

    def ask(self, question: Question) -> Answer:
        """``ConflictError`` says why the service refused, ``UnreachableError`` that it cannot be asked."""
        line = HTTPSConnection(self.host, self.port, timeout=self.timeout_s, context=self.tls)
        try:
            line.request("POST", PATH, question.to_json(), {"Content-Type": MEDIA_TYPE})
            response = line.getresponse()
            body = response.read(LARGEST)
        except (OSError, HTTPException) as error:
            raise UnreachableError(f"the scoring service does not answer: {error}: {START}") from error
        finally:
            line.close()
        if response.status != 200:
            raise ConflictError(refusal_of(body))
        try:
            return Answer.from_json(body)
        except MessageError as error:
            raise ConflictError(f"the scoring service answered what is no answer: {error}") from error


def _tls(identity: Path) -> ssl.SSLContext:
    """Of this hub's authority any server will do: it certifies none but the hub's own."""
    try:
        context = ssl.create_default_context(cafile=identity / "ca" / "ca.crt")
        context.load_cert_chain(identity / "hub" / "client.crt", identity / "hub" / "client.key")
    except (OSError, ssl.SSLError) as error:
        raise TrustError(f"the hub's certificates in {identity} cannot be used: {error}") from error
    context.check_hostname = False
    return context
