"""What enrolment and renewal share: asking the hub to certify this device's key, and checking the answer.

The hub is recognised by its authority alone. The request is signed by the key it
is about; the private key never leaves the device.
"""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from edge_agent.errors import EdgeError
from wire.errors import defect

PATIENCE_S = 20.0
LARGEST_ANSWER = 1 << 20


class CertificationError(EdgeError):
    """The hub does not certify this device as things are."""


def ask(url: str, path: str, authority: bytes, fields: dict[str, str]) -> dict[str, Any]:
    """The hub's answer to ``fields``, posted as JSON; ``CertificationError`` with the reason of a refusal."""
    context = ssl.create_default_context(cadata=authority.decode())
    status, answer = request("POST", url, path, context=context, body=json.dumps(fields).encode())
    try:
        found = json.loads(answer)
        if status == 200:
            return {str(name): value for name, value in found.items()}
        reason = str(found["error"])
    except (KeyError, TypeError, ValueError, AttributeError):
        reason = f"answer {status} makes no sense"
    raise CertificationError(f"the hub refused: {reason}")


def request(
    method: str, url: str, path: str, *, context: ssl.SSLContext, body: bytes | None = None
) -> tuple[int, bytes]:
    """Status and body of one answer of the device listener at ``url``."""
    host, port, path = *_place(url), urlsplit(url).path.rstrip("/") + path
    connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read(LARGEST_ANSWER)
    except ssl.SSLCertVerificationError as error:
        raise CertificationError(
            f"{url} does not prove to be the hub: {error.verify_message}; "
            "its certificate must name the host in hub.url"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise CertificationError(
            f"the hub cannot be reached at {url}: {error}; is `andon hub run` up, is the address right?"
        ) from error
    finally:
        connection.close()


def stored_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    """The device's key on disk, or None where there is none that can be used."""
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def signing_request(key: ec.EllipticCurvePrivateKey, device: str) -> str:
    """A request for ``key``, PEM; the hub takes nothing but the key from it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    signed = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def certified(answer: dict[str, Any], key: ec.EllipticCurvePrivateKey, authority: bytes) -> x509.Certificate:
    """The certificate in the hub's answer: of this key, by this authority."""
    try:
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except Exception as error:  # two libraries look at it; none of them may end in a traceback
        raise CertificationError(f"the hub's certificate cannot be used: {defect(error)}") from error
    if certificate.public_key() != key.public_key():
        raise CertificationError("the hub certified another key than this device's")
    return certificate


def _place(url: str) -> tuple[str, int]:
    """Host and port of ``url``."""
    wrong = CertificationError(f"expected hub.url as https://host:port, got {url!r}")
    try:
        where = urlsplit(url)
        port = where.port or 443
    except ValueError as error:  # a port above 65535, a bracket without its other half
        raise wrong from error
    if where.scheme != "https" or not where.hostname:
        raise wrong
    return where.hostname, port
