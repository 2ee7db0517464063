"""Enrolment: the device makes its own key, and the hub certifies it against a one-time token.

The token's last part is the SHA-256 of the authority's certificate. That is how a
device that trusts nobody yet knows whom to give its token to: the certificate is
fetched without trust, compared, and everything after that is verified by it. The
private key never leaves the device.
"""

import hashlib
import json
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.certification import (
    CertificationError,
    ask,
    certified,
    request,
    signing_request,
    stored_key,
)
from edge_agent.updates.disk import Disk
from wire.errors import defect


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
            raise CertificationError(
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
        raise CertificationError(f"the token is for {parsed.device!r}, this device is {config.device!r}")
    folder = config.state_dir / "identity"
    if folder.exists() and not force:
        raise CertificationError(f"{folder} holds an identity already: --force replaces it")
    url = config.hub.url.rstrip("/")
    authority = _authority(url, parsed)
    disk = Disk()
    coming = config.state_dir / "identity.new"
    disk.ensure_folder(coming)
    key = _key(coming / "device.key", disk)
    fields = {"token": parsed.text, "csr": signing_request(key, config.device)}
    answer = ask(url, "/enroll", authority, fields)
    _keep(disk, coming, answer, authority=authority, key=key, url=url)
    _take_over(disk, coming, folder)
    return folder


def _authority(url: str, token: Token) -> bytes:
    """The hub's CA certificate, PEM, recognised by the token."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # nothing is trusted until the fingerprint below holds
    status, body = request("GET", url, "/ca.crt", context=blind)
    if status != 200:
        raise CertificationError(f"{url}/ca.crt answers {status}: is this the hub's device listener?")
    try:
        certificate = x509.load_pem_x509_certificate(body)
    except ValueError as error:
        raise CertificationError(f"{url}/ca.crt is no certificate: {error}") from error
    found = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    if found != token.fingerprint:
        raise CertificationError(
            f"{url} is not the hub this token is from: expected the authority {token.fingerprint}, "
            f"got {found}; the token was not sent"
        )
    return certificate.public_bytes(Encoding.PEM)


def _key(path: Path, disk: Disk) -> ec.EllipticCurvePrivateKey:
    """The key of the enrolment under way: the same again after one that was cut short."""
    found = stored_key(path)
    if found is not None:
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    disk.write(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


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
    certificate = certified(answer, key, authority)
    try:
        enrolment = {
            "device": str(answer["device"]),
            "site": str(answer["site"]),
            "zone": str(answer.get("zone", "")),
            "hub_url": url,
            "broker_host": str(answer["broker_host"]),
            "broker_port": int(answer["broker_port"]),
            "broker_tls": bool(answer.get("broker_tls", True)),
            "time_us": int(answer.get("time_us", 0)),
        }
        root = str(answer["root"]).encode()
    except (KeyError, TypeError, ValueError) as error:
        raise CertificationError(f"the hub's answer cannot be used: {defect(error)}") from error
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
