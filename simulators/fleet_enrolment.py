"""Enrolment of a simulated fleet: each device makes its own key and has it certified against its own token.

The same as on a real device, over HTTPS: the authority is recognised by the token's
last part before any token is sent, and what comes back has to certify the key that was
asked for. Only the connection is shared, by the devices of a process.
"""

import hashlib
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from simulators.errors import SimulatorError
from simulators.fleet_identity import Hub, Identity, StateFolder
from wire.errors import defect

PATIENCE_S = 30.0
SPKI = PublicFormat.SubjectPublicKeyInfo


class EnrolmentError(SimulatorError):
    """A simulated device cannot be enrolled."""


class Enrolment:
    """With the hub at ``url``, whose authority has the certificate ``authority``, PEM."""

    def __init__(self, url: str, authority: bytes, state: StateFolder) -> None:
        self._url = url.rstrip("/")
        self._issuer = x509.load_pem_x509_certificate(authority)
        self._state = state
        tls = ssl.create_default_context(cadata=authority.decode())
        self._pool = urllib3.PoolManager(ssl_context=tls, retries=False, timeout=PATIENCE_S)

    def enrol_all(
        self, tokens: Mapping[str, str], stopping: Callable[[], bool], done: Callable[[int], None]
    ) -> None:
        """Enrol the devices of ``tokens``; ``done`` hears how many are, again and again."""
        for count, (device, token) in enumerate(tokens.items(), 1):
            if stopping():
                return
            self._enrol(device, token)
            done(count)

    def _enrol(self, device: str, token: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        answer = self._ask(device, token, _request_of(key, device))
        try:
            certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
            certificate.verify_directly_issued_by(self._issuer)
            site, root = str(answer["site"]), str(answer["root"]).encode()
            host, port = str(answer["broker_host"]), int(answer["broker_port"])
        except Exception as error:  # many libraries look at it; none of them may end in a traceback
            raise EnrolmentError(f"the hub's answer to {device} cannot be used: {defect(error)}") from error
        if certificate.public_key() != key.public_key():
            raise EnrolmentError(f"the hub certified another key than that of {device}")
        if not self._state.root.exists():
            hub = Hub(url=self._url, broker_host=host, broker_port=port)
            self._state.keep_hub(hub, root=root)
        fingerprint = hashlib.sha256(key.public_key().public_bytes(Encoding.DER, SPKI)).hexdigest()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        identity = Identity(device=device, site=site, key_fingerprint=fingerprint)
        self._state.keep(identity, pem + certificate.public_bytes(Encoding.PEM))

    def _ask(self, device: str, token: str, request: bytes) -> dict[str, Any]:
        body = json.dumps({"token": token, "csr": request.decode()})
        status, answer = _send(self._pool, "POST", f"{self._url}/enroll", body)
        try:
            fields = json.loads(answer)
            if status == 200:
                return dict(fields)
            reason = str(fields["error"])
        except (KeyError, TypeError, ValueError) as error:
            raise EnrolmentError(f"{self._url}/enroll answers {status}: is this the hub?") from error
        raise EnrolmentError(f"the hub refused to enrol {device}: {reason}")


def authority_of(url: str, token: str) -> bytes:
    """The certificate of the hub's authority, PEM, recognised by what ``token`` says of it."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE  # nothing is trusted until the fingerprint below holds
    pool = urllib3.PoolManager(ssl_context=blind, retries=False, timeout=PATIENCE_S)
    url = f"{url.rstrip('/')}/ca.crt"
    status, body = _send(pool, "GET", url)
    pool.clear()
    try:
        certificate = x509.load_pem_x509_certificate(body)
    except ValueError as error:
        raise EnrolmentError(f"{url} answers {status} and no certificate: is this the hub?") from error
    found = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    expected = token.rpartition(".")[2].lower()
    if found != expected:
        raise EnrolmentError(
            f"{url} is not of the hub the tokens are from: expected the authority {expected}, got {found}"
        )
    return certificate.public_bytes(Encoding.PEM)


def _request_of(key: ec.EllipticCurvePrivateKey, device: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def _send(pool: urllib3.PoolManager, method: str, url: str, body: str | None = None) -> tuple[int, bytes]:
    try:
        answer = pool.request(method, url, body=body, headers={"Content-Type": "application/json"})
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise EnrolmentError(f"the hub cannot be reached at {url}: {error}") from error
    return answer.status, answer.data
