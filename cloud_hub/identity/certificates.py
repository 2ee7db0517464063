"""The hub's own certificates: one as a server (broker, device listener), one as a client of its broker.

Made by the hub's authority, kept in ``identity/hub``, and made anew before they
end or when the names they must carry have changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from cloud_hub.files import locked, private_folder, write_private, write_public
from cloud_hub.identity.ca import HUB_NAME, Authority, Issued, expires

RENEWED_BEFORE = timedelta(days=130)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCertificates:
    """Where the files are; keys are readable by the hub's user alone."""

    ca: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path  # common name "hub"
    client_key: Path

    @classmethod
    def of(cls, state_dir: Path) -> "HubCertificates":
        """The places in ``state_dir``; :func:`ensure` fills them."""
        folder = state_dir / "identity" / "hub"
        return cls(
            ca=Authority.of(state_dir).certificate_file,
            server_certificate=folder / "server.crt",
            server_key=folder / "server.key",
            client_certificate=folder / "client.crt",
            client_key=folder / "client.key",
        )


def ensure(state_dir: Path, names: Sequence[str]) -> HubCertificates:
    """Authority and certificates for a hub that devices reach as ``names``; safe to call at every start."""
    authority = Authority.of(state_dir).ensure()
    places = HubCertificates.of(state_dir)
    folder = private_folder(places.server_key.parent)
    with locked(folder / "lock"):
        if _worn(places.server_certificate, names):
            _keep(authority.issue_server(names), places.server_key, places.server_certificate)
        if _worn(places.client_certificate, ()):
            _keep(authority.issue_client(HUB_NAME), places.client_key, places.client_certificate)
    return places


def _keep(issued: Issued, key: Path, certificate: Path) -> None:
    write_private(key, issued.key)
    write_public(certificate, issued.certificate)


def _worn(certificate: Path, names: Sequence[str]) -> bool:
    """Whether it is missing, ends soon, or lacks one of ``names``."""
    if not certificate.exists():
        return True
    content = certificate.read_bytes()
    if expires(content) - datetime.now(UTC) < RENEWED_BEFORE:
        return True
    return not set(names) <= _names(content)


def _names(certificate: bytes) -> set[str]:
    loaded = x509.load_pem_x509_certificate(certificate)
    try:
        alternatives = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(address) for address in alternatives.get_values_for_type(x509.IPAddress)}
    return addresses | set(alternatives.get_values_for_type(x509.DNSName))
