"""A certificate authority for tests, and a broker that trusts it."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_hub.parts.broker import Broker


@dataclass(frozen=True, kw_only=True)
class ClientFiles:
    """What a TLS client needs: whom it trusts and who it is."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Certificates:
    """A P-256 authority that signs whatever a test asks it to."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("andon test authority", self._key.public_key(), authority=True)
        self.ca = directory / "ca.crt"
        self.ca.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, server: bool = False) -> ClientFiles:
        """The files of ``name``, made once."""
        files = ClientFiles(
            ca=self.ca, certificate=self._directory / f"{name}.crt", key=self._directory / f"{name}.key"
        )
        if not files.key.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(name, key.public_key(), server=server)
            files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
            files.key.write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        return files

    def _sign(
        self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool = False, server: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if authority else self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if authority:
            return builder.add_extension(_signs_certificates(), critical=True).sign(
                self._key, hashes.SHA256()
            )
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if server:
            names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@dataclass(frozen=True, kw_only=True)
class RunningBroker:
    """The ``broker`` fixture: where it is, who may join, and a client for whoever asks."""

    part: Broker
    host: str
    port: int
    hub_port: int
    authority: Certificates

    def client(self, name: str, *, client_id: str | None = None) -> mqtt.Client:
        """An MQTT 5 client with the certificate of ``name``, not connected yet."""
        made = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or name, protocol=mqtt.MQTTv5
        )
        made.tls_set_context(self.authority.issue(name).context())
        return made


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
