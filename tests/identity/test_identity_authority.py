"""The authority: who gets which name, and what is refused before anything is signed."""

import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloud_hub.errors import ConflictError, TrustError
from cloud_hub.identity import certificates
from cloud_hub.identity.ca import HUB_NAME, Authority


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ca").ensure()


def csr(common_name="whoever", key=None, *, is_ca=True):
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    ).add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(Encoding.PEM)


def test_the_key_of_the_authority_is_readable_by_its_owner_alone(authority, tmp_path):
    assert stat.S_IMODE((tmp_path / "ca" / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


def test_a_second_start_keeps_the_authority(authority, tmp_path):
    assert Authority(tmp_path / "ca").ensure().fingerprint == authority.fingerprint


def test_the_name_comes_from_the_token_and_nothing_but_the_key_from_the_request(authority):
    key = ec.generate_private_key(ec.SECP256R1())
    signed = x509.load_pem_x509_certificate(authority.sign_csr(csr("hub", key), "press-04"))
    assert signed.subject.rfc4514_string() == "CN=press-04"
    assert signed.public_key() == key.public_key()
    assert signed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    signed.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))


def test_no_device_gets_the_name_that_opens_every_topic(authority):
    with pytest.raises(ConflictError, match="hub's own name"):
        authority.sign_csr(csr(), HUB_NAME)


@pytest.mark.parametrize(
    ("request_pem", "reason"),
    [
        (b"garbage", "not a signing request"),
        (b"x" * 20_000, "at most 16384 bytes, got 20000"),
        (csr(key=ec.generate_private_key(ec.SECP384R1())), "expected an EC P-256 key"),
        (csr(key=ed25519.Ed25519PrivateKey.generate()), "expected an EC P-256 key"),
    ],
    ids=["garbage", "oversized", "another curve", "another kind of key"],
)
def test_a_request_that_cannot_be_certified_is_refused_with_the_reason(authority, request_pem, reason):
    with pytest.raises(TrustError, match=reason):
        authority.sign_csr(request_pem, "press-04")


def test_a_request_without_proof_of_possession_is_refused(authority):
    genuine = x509.load_pem_x509_csr(csr()).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_csr(genuine.replace(b"whoever", b"wh0ever")).public_bytes(Encoding.PEM)
    with pytest.raises(TrustError, match="not signed by the key it carries"):
        authority.sign_csr(forged, "press-04")


def test_the_hubs_certificates_are_kept_until_their_names_change(tmp_path):
    first = certificates.ensure(tmp_path, ["localhost", "127.0.0.1"])
    before = first.server_certificate.read_bytes()
    assert certificates.ensure(tmp_path, ["127.0.0.1"]).server_certificate.read_bytes() == before
    after = certificates.ensure(tmp_path, ["hub.example", "127.0.0.1"]).server_certificate.read_bytes()
    assert after != before
    assert stat.S_IMODE(first.server_key.stat().st_mode) == 0o600


def test_openssl_accepts_what_the_authority_made(tmp_path):
    places = certificates.ensure(tmp_path, ["localhost"])
    strict = ssl.create_default_context(cafile=places.ca)
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(places.server_certificate, places.server_key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = strict.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    assert shake_hands(ours, theirs)


def shake_hands(*ends):
    done = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
        if len(done) == len(ends):
            return True
    return False
