"""Who may ask: whoever shows a certificate of the hub's authority that was not revoked, at every request.

The handshake has checked the certificate itself; here it is held against the
authority's list of revoked ones as it is on disk now, so that a device cut off does not
go on over a connection that is open.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from cloud_hub.errors import HubError


class RefusedError(HubError):
    """A request that is answered with ``status`` and this sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    name: str  # the device's; ``hub`` for the hub itself
    serial: int
    ends: datetime


class Guests:
    """``revoked`` is the authority's list, PEM; without it nobody is let in."""

    def __init__(self, revoked: Path) -> None:
        self._file = revoked
        self._stamp: tuple[int, int] | None = None
        self._list: x509.CertificateRevocationList | None = None

    def admit(self, certificate: bytes | None) -> Guest:
        """Whom the DER ``certificate`` names; ``RefusedError`` says why nobody comes in with it."""
        if certificate is None:
            raise RefusedError(401, "show a client certificate of this hub's authority: there was none")
        guest = _read(certificate)
        if datetime.now(UTC) > guest.ends:
            raise RefusedError(403, f"the certificate of {guest.name} ended on {guest.ends:%Y-%m-%d}")
        if self._revoked().get_revoked_certificate_by_serial_number(guest.serial) is not None:
            raise RefusedError(403, f"the certificate of {guest.name} was revoked")
        return guest

    def _revoked(self) -> x509.CertificateRevocationList:
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if self._list is None or stamp != self._stamp:
                self._list, self._stamp = x509.load_pem_x509_crl(self._file.read_bytes()), stamp
        except (OSError, ValueError) as error:
            raise RefusedError(503, "the hub cannot tell which certificates were revoked") from error
        return self._list


@lru_cache(maxsize=4096)
def _read(certificate: bytes) -> Guest:
    found = x509.load_der_x509_certificate(certificate)
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if names else ""
    return Guest(name=name, serial=found.serial_number, ends=found.not_valid_after_utc)
