"""Who this device is: what enrolment left in ``state_dir/identity``, read and checked, never written here."""

import hashlib
import ipaddress
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge_agent.config import AgentConfig
from edge_agent.errors import IdentityError

FOLDER = "identity"
REMEDY = "run `andon edge enroll`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    device: str
    site: str
    zone: str  # IANA, of the site; empty where the hub has not told it
    hub_url: str
    repository_url: str  # where signed metadata and bundles are fetched: the hub, a static host, a CDN
    broker_host: str
    broker_port: int
    broker_tls: bool
    key_fingerprint: str  # SHA-256 of the certificate's public key (SPKI DER), hex
    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "device.crt"

    @property
    def key(self) -> Path:
        return self.folder / "device.key"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def root(self) -> Path:
        """The TUF root that enrolment pinned."""
        return self.folder / "root.json"

    @classmethod
    def load(cls, config: AgentConfig) -> Self:
        """The identity in ``config.state_dir``; settings of ``config`` win over what enrolment told."""
        folder = config.state_dir / FOLDER
        enrolment = read_enrolment(folder)
        hub_url = config.hub.url or str(enrolment["hub_url"])
        identity = cls(
            device=str(enrolment["device"]),
            site=str(enrolment["site"]),
            zone=str(enrolment.get("zone", "")),
            hub_url=hub_url,
            repository_url=config.hub.repository_url or hub_url,
            broker_host=config.broker.host or str(enrolment["broker_host"]),
            broker_port=config.broker.port or int(enrolment["broker_port"]),
            broker_tls=config.broker.tls and bool(enrolment.get("broker_tls", True)),
            key_fingerprint=_fingerprint(folder / "device.crt", str(enrolment["device"])),
            folder=folder,
        )
        if identity.device != config.device:
            raise IdentityError(
                f"{folder} is the identity of {identity.device!r}, the configuration says {config.device!r}"
            )
        if not identity.broker_tls and not _loopback(identity.broker_host):
            raise IdentityError(
                f"a broker without TLS may only be on loopback, got {identity.broker_host}: set broker.tls"
            )
        return identity

    def tls(self) -> ssl.SSLContext:
        """Trusts the hub's authority alone, and shows this device's certificate."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise IdentityError(f"{self.folder} cannot be used for TLS: {error}: {REMEDY}") from error
        return context

    def repository_tls(self) -> ssl.SSLContext:
        """As ``tls`` where the hub serves the repository; of another host the system's trust is asked.

        Another host is not shown this device's certificate.
        """
        if urlsplit(self.repository_url).netloc == urlsplit(self.hub_url).netloc:
            return self.tls()
        return ssl.create_default_context()


def read_enrolment(folder: Path) -> dict[str, Any]:
    """What the hub told when this device enrolled, and when it renewed."""
    path = folder / "enrolment.json"
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        missing = {"device", "site", "hub_url", "broker_host", "broker_port"} - fields.keys()
    except FileNotFoundError as error:
        raise IdentityError(f"no identity in {path.parent}: {REMEDY}") from error
    except (OSError, ValueError, AttributeError) as error:
        raise IdentityError(f"{path} cannot be read: {error}: {REMEDY}") from error
    if missing:
        raise IdentityError(f"{path} lacks {', '.join(sorted(missing))}: {REMEDY}")
    return fields


def _fingerprint(path: Path, device: str) -> str:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise IdentityError(f"{path} cannot be read: {error}: {REMEDY}") from error
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [str(name.value) for name in names] != [device]:
        raise IdentityError(f"{path} is not the certificate of {device!r}: {REMEDY}")
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
