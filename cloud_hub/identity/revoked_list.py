"""The revocation list as a file beside the authority, PEM: what a broker reads as its ``crlfile``.

It follows from the table of certificates and can be made anew from it at any time, by
whoever holds the authority's key. The newest of two lists is told by the second in
which it was made, so each is made at least a second after the one before.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509

from cloud_hub.files import locked, write_private
from cloud_hub.identity.ca import BACKDATED, Authority
from cloud_hub.identity.tokens import QUERIES
from cloud_hub.store.database import Database


class RevokedList:
    """``revoked.crl`` of one authority."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.file = authority.certificate_file.with_name("revoked.crl")

    def follow(self, database: Database) -> bool:
        """Bring the file up to what the database says; whether it had to be written."""
        revoked, found = _revoked(database), self._found()
        if found is not None and revoked.keys() <= {f"{entry.serial_number:x}" for entry in found}:
            return False
        self._write(revoked)
        return True

    def include(self, database: Database, serial: str) -> None:
        """Write what the database says and ``serial``, which is in no table."""
        self._write(_revoked(database) | {serial: datetime.now(UTC)})

    def _write(self, revoked: Mapping[str, datetime]) -> None:
        with locked(self.file.with_name("lock")):
            before = self._found()
            made = datetime.now(UTC) - BACKDATED
            if before is not None:
                made = max(made, before.last_update_utc + timedelta(seconds=1))
            write_private(self.file, self._authority.sign_revoked(revoked, made=made))

    def _found(self) -> x509.CertificateRevocationList | None:
        """The list on disk; None where there is none of this authority."""
        try:
            found = x509.load_pem_x509_crl(self.file.read_bytes())
        except (OSError, ValueError):
            return None
        issuer = x509.load_pem_x509_certificate(self._authority.certificate)
        return found if found.issuer == issuer.subject else None


def _revoked(database: Database) -> dict[str, datetime]:
    return {row["serial"]: row["revoked"] for row in database.rows(QUERIES["revoked"])}
