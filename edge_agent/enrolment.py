"""Enrolment: the device makes its own key, and the hub certifies it against a one-time token.

The token's last part is the SHA-256 of the authority's certificate. That is how a
device that trusts nobody yet knows whom to give its token to: the certificate is
fetched without trust, compared, and everything after that is verified by it. The
private key never leaves the device.
"""

import hashlib
import http.client
import json
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge_agent.errors import EdgeError
from edge_agent.updates.disk import Disk

PATIENCE_S = 20.0
LARGEST_ANSWER = 1 << 20


class EnrolmentError(EdgeError):
    """This device cannot be enrolled as things are."""


class HubSettings(Protocol):
    @property
    def url(self) -> str: ...


class Config(Protocol):
    """What enrolment needs of the agent's configuration."""

    @property
    def device(self) -> str: ...
    @property
    def state_dir(self) -> Path: ...
    @property
    def hub(self) -> HubSettings: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    device: str
    fingerprint: str  # of the authority's certificate, hex
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        parts = text.strip().rsplit(".", 2)
        if len(parts) != 3 or not all(parts) or len(parts[2]) != 64 or not text.isascii():
            raise EnrolmentError(
                "expected a token <device>.<secret>.<fingerprint> as `andon device add` prints it, "
                "got something else"
            )
        return cls(device=parts[0], fingerprint=parts[2].lower(), text=text.strip())


def enroll(config: Config, token: str, *, force: bool = False) -> Path:
    """Enrol this device and return the folder of its identity.

    An identity that is there is kept unless ``force``. Cut short at any point, it
    can be run again with the same token.
    """
    parsed = Token.parse(token)
    if parsed.device != config.device:
        raise EnrolmentError(f"the token is for {parsed.device!r}, this device is {config.device!r}")
    folder = config.state_dir / "identity"
    if folder.exists() and not force:
        raise EnrolmentError(f"{folder} holds an identity already: --force replaces it")
    url = config.hub.url.rstrip("/")
    authority = _authority(url, parsed)
    disk = Disk()
    coming = config.state_dir / "identity.new"
    disk.ensure_folder(coming)
    key = _key(coming / "device.key", disk)
    answer = _ask(url, authority, parsed, _signing_request(key, config.device))
    _keep(disk, coming, answer, authority=authority, key=key, url=url)
    _take_over(disk, coming, folder)
    return folder


def _authority(url: str, token: Token) -> bytes:
    """The hub's CA certificate, PEM, recognised by the token."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # nothing is trusted until the fingerprint below holds
    status, body = _request("GET", url, "/ca.crt", context=blind)
    if status != 200:
        raise EnrolmentError(f"{url}/ca.crt answers {status}: is this the hub's device listener?")
    try:
        certificate = x509.load_pem_x509_certificate(body)
    except ValueError as error:
        raise EnrolmentError(f"{url}/ca.crt is no certificate: {error}") from error
    found = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    if found != token.fingerprint:
        raise EnrolmentError(
            f"{url} is not the hub this token is from: expected the authority {token.fingerprint}, "
            f"got {found}; the token was not sent"
        )
    return certificate.public_bytes(Encoding.PEM)


def _ask(url: str, authority: bytes, token: Token, csr: bytes) -> dict[str, Any]:
    context = ssl.create_default_context(cadata=authority.decode())
    body = json.dumps({"token": token.text, "csr": csr.decode()}).encode()
    status, answer = _request("POST", url, "/enroll", context=context, body=body)
    try:
        fields = json.loads(answer)
        if status == 200:
            return {str(name): value for name, value in fields.items()}
        reason = str(fields["error"])
    except (KeyError, TypeError, ValueError, AttributeError):
        reason = f"answer {status} makes no sense"
    raise EnrolmentError(f"the hub refused: {reason}")


def _request(
    method: str, url: str, path: str, *, context: ssl.SSLContext, body: bytes | None = None
) -> tuple[int, bytes]:
    host, port, path = *_place(url), urlsplit(url).path + path
    connection = http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read(LARGEST_ANSWER)
    except ssl.SSLCertVerificationError as error:
        raise EnrolmentError(
            f"{url} does not prove to be the hub: {error.verify_message}; "
            "its certificate must name the host in hub.url"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise EnrolmentError(
            f"the hub cannot be reached at {url}: {error}; is `andon hub run` up, is the address right?"
        ) from error
    finally:
        connection.close()


def _place(url: str) -> tuple[str, int]:
    """Host and port of ``url``."""
    wrong = EnrolmentError(f"expected hub.url as https://host:port, got {url!r}")
    try:
        where = urlsplit(url)
        port = where.port or 443
    except ValueError as error:  # a port above 65535, a bracket without its other half
        raise wrong from error
    if where.scheme != "https" or not where.hostname:
        raise wrong
    return where.hostname, port


def _key(path: Path, disk: Disk) -> ec.EllipticCurvePrivateKey:
    """The key of the enrolment under way: the same again after one that was cut short."""
    found = _stored_key(path)
    if found is not None:
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    disk.write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


def _stored_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def _signing_request(key: ec.EllipticCurvePrivateKey, device: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def _keep(
    disk: Disk,
    folder: Path,
    answer: dict[str, Any],
    *,
    authority: bytes,
    key: ec.EllipticCurvePrivateKey,
    url: str,
) -> None:
    """Write what the hub gave, checked against what this device knows."""
    try:
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        enrolment = {
            "device": str(answer["device"]),
            "site": str(answer["site"]),
            "hub_url": url,
            "broker_host": str(answer["broker_host"]),
            "broker_port": int(answer["broker_port"]),
            "broker_tls": bool(answer.get("broker_tls", True)),
            "time_us": int(answer.get("time_us", 0)),
        }
        root = str(answer["root"]).encode()
    except Exception as error:  # many libraries look at it; none of them may end in a traceback
        raise EnrolmentError(f"the hub's answer cannot be used: {error!r}") from error
    if certificate.public_key() != key.public_key():
        raise EnrolmentError("the hub certified another key than this device's")
    disk.write(folder / "device.crt", certificate.public_bytes(Encoding.PEM))
    disk.write(folder / "ca.crt", authority)
    disk.write(folder / "root.json", root)
    disk.write(folder / "enrolment.json", json.dumps(enrolment, indent=2).encode())


def _take_over(disk: Disk, coming: Path, folder: Path) -> None:
    """Put the new identity in place; the one before goes only when the new one is whole."""
    old = folder.with_name("identity.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        disk.rename(folder, old)
    disk.rename(coming, folder)
    disk.sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)
