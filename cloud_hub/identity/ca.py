"""The certificate authority of one hub: it alone says which key speaks under which name.

A signing request contributes a public key and the proof that its sender holds
the private one; the name comes from the enrolment token, every other field is
ignored. Certificates live in real time whatever clock the factory runs on.
"""

import hashlib
import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.files import locked, private_folder, write_private, write_public
from wire.topics import NAME

HUB_NAME = "hub"  # the broker lets this name into every topic, so no device may carry it
AUTHORITY_LIFETIME = timedelta(days=3650)
DEVICE_LIFETIME = timedelta(days=397)  # devices renew theirs when a third of it is left
HUB_LIFETIME = timedelta(days=397)  # the hub issues its own anew when it starts
BACKDATED = timedelta(days=1)  # a device's clock may be a little behind
LONGEST_REQUEST = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A private key with its certificate, both PEM."""

    key: bytes
    certificate: bytes


class Authority:
    """The CA in one directory: ``ca.key`` (0600) and ``ca.crt``."""

    def __init__(self, folder: Path) -> None:
        self._key_file = folder / "ca.key"
        self._certificate_file = folder / "ca.crt"

    @classmethod
    def of(cls, state_dir: Path) -> "Authority":
        """The authority of the hub in ``state_dir``."""
        return cls(state_dir / "identity" / "ca")

    def ensure(self) -> "Authority":
        """Create key and certificate where there are none; safe to call from several processes."""
        folder = private_folder(self._key_file.parent)
        with locked(folder / "lock"):
            if not self._certificate_file.exists():
                key = ec.generate_private_key(ec.SECP256R1())
                write_private(self._key_file, _pem(key))
                write_public(self._certificate_file, _self_signed(key).public_bytes(Encoding.PEM))
        return self

    @property
    def certificate_file(self) -> Path:
        return self._certificate_file

    @property
    def certificate(self) -> bytes:
        """The authority's certificate, PEM."""
        try:
            return self._certificate_file.read_bytes()
        except OSError as error:
            raise TrustError(
                f"no certificate authority in {self._certificate_file.parent}: `andon hub run` makes one"
            ) from error

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the certificate's DER form: what enrolment tokens pin."""
        der = x509.load_pem_x509_certificate(self.certificate).public_bytes(Encoding.DER)
        return hashlib.sha256(der).hexdigest()

    def issue_server(self, names: Sequence[str]) -> Issued:
        """Key and certificate for a server that is reached as ``names`` (host names or addresses)."""
        if not names:
            raise TrustError("expected at least one name for a server certificate, got none")
        alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(
            key.public_key(), "andon-hub", ExtendedKeyUsageOID.SERVER_AUTH, HUB_LIFETIME, alternatives
        )
        return Issued(key=_pem(key), certificate=signed)

    def issue_client(self, common_name: str, *, lifetime: timedelta = HUB_LIFETIME) -> Issued:
        """Key and certificate for a client the hub runs itself, such as its ingest (``HUB_NAME``)."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._sign(key.public_key(), common_name, ExtendedKeyUsageOID.CLIENT_AUTH, lifetime)
        return Issued(key=_pem(key), certificate=signed)

    def sign_csr(self, csr: bytes, name: str, lifetime: timedelta = DEVICE_LIFETIME) -> bytes:
        """The certificate, PEM, of device ``name`` for the key in ``csr``, or a ``TrustError``."""
        check_device_name(name)
        key = requested_key(csr)
        return self._sign(key, name, ExtendedKeyUsageOID.CLIENT_AUTH, lifetime)

    def recognise(self, certificate: bytes) -> x509.Certificate:
        """What this authority signed, whether it has ended or not; ``TrustError`` for anything else."""
        if len(certificate) > LONGEST_REQUEST:
            raise TrustError(
                f"expected a certificate of at most {LONGEST_REQUEST} bytes, got {len(certificate)}"
            )
        try:
            found = x509.load_pem_x509_certificate(certificate)
            found.verify_directly_issued_by(x509.load_pem_x509_certificate(self.certificate))
        except InvalidSignature as error:
            raise TrustError(
                "this certificate is not of this hub's authority: its signature is another's"
            ) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise TrustError(f"not a certificate of this hub's authority: {error}") from error
        return found

    def sign_revoked(self, revoked: Mapping[str, datetime], *, made: datetime) -> bytes:
        """The revocation list, PEM, of these serials (hex) and when each was revoked.

        It is good for as long as the authority lives: brokers refuse *everybody* once the list they have is
        past its next update, and a hub that is down must not lock out its fleet.
        """
        issuer = x509.load_pem_x509_certificate(self.certificate)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(made)
            .next_update(issuer.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(made.timestamp())), critical=False)
        )
        for number, since in revoked.items():
            entry = x509.RevokedCertificateBuilder().serial_number(int(number, 16)).revocation_date(since)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._private_key(), hashes.SHA256()).public_bytes(Encoding.PEM)

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey,
        common_name: str,
        usage: x509.ObjectIdentifier,
        lifetime: timedelta,
        alternatives: x509.SubjectAlternativeName | None = None,
    ) -> bytes:
        issuer = x509.load_pem_x509_certificate(self.certificate)
        authority_key = self._private_key()
        builder = (
            _dated(common_name, key, lifetime)
            .issuer_name(issuer.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _private_key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = load_pem_private_key(self._key_file.read_bytes(), password=None)
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise TrustError(f"{self._key_file}: the authority's key cannot be read: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TrustError(f"{self._key_file}: expected an elliptic-curve key, got {type(key).__name__}")
        return key


def check_device_name(name: str) -> None:
    """Raise for what cannot be a device's name, above all for the hub's own."""
    if not NAME.fullmatch(name):
        raise TrustError(f"expected a device name like press-04, got {name!r}")
    if name == HUB_NAME:
        raise ConflictError(f"{name!r} is the hub's own name: a device cannot have it")


def requested_key(csr: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a signing request, PEM, whose sender proved to hold the private one."""
    if len(csr) > LONGEST_REQUEST:
        raise TrustError(f"expected a signing request of at most {LONGEST_REQUEST} bytes, got {len(csr)}")
    try:
        request = x509.load_pem_x509_csr(csr)
        key = request.public_key()
        proven = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TrustError(f"not a signing request: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TrustError(f"expected an EC P-256 key in the signing request, got {type(key).__name__}")
    if not proven:
        raise TrustError("the signing request is not signed by the key it carries")
    return key


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Hex SHA-256 of the key's SubjectPublicKeyInfo: how directives name a device's key."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def certified_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The key of a certificate that this hub's authority signed, which certifies no other kind."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TrustError(f"expected a certificate of an EC P-256 key, got {type(key).__name__}")
    return key


def serial(certificate: x509.Certificate) -> str:
    """Its number as the database keeps it, hex."""
    return f"{certificate.serial_number:x}"


def expires(certificate: bytes) -> datetime:
    """When a PEM certificate ends, UTC."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = f"Andon hub {os.urandom(4).hex()}"
    return (
        _dated(name, key.public_key(), AUTHORITY_LIFETIME)
        .issuer_name(_subject(name))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _dated(common_name: str, key: ec.EllipticCurvePublicKey, lifetime: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(common_name))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
