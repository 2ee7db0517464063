"""What somebody without a right to it tries to get from the device listener: a certificate."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from identity_requests import signing_request

from cloud_hub.identity import certifying, device_api, devices, endings, revoking, throttle
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.throttle import Throttle
from cloud_hub.identity.tokens import Token
from cloud_hub.store import fleet
from edge_agent import renewal
from edge_agent.certification import CertificationError
from edge_agent.enrolment import enroll
from edge_agent.identity import Identity
from edge_agent.updates.disk import Disk

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def token(enrolling_hub):
    hub = enrolling_hub
    wanted = {"site": "plant-1", "profile": "generic", "zone": None, "now": NOW}
    return devices.add(hub.database, hub.authority, name="press-04", **wanted)


@pytest.fixture
def stolen(enrolling_hub, token):
    """A device's identity, in a thief's hands."""
    enroll(enrolling_hub.agent(), str(token))
    return Identity.load(enrolling_hub.agent())


def ask(hub, token, csr=None, *, client=None):
    body = json.dumps({"token": str(token), "csr": (csr or signing_request()).decode()})
    return (client or hub.app.test_client()).post("/enroll", data=body)


def test_a_guessed_token_is_refused_and_the_guesser_soon_not_listened_to(enrolling_hub, token):
    """How soon depends on the time that it took: failures are forgotten."""
    answers = []
    while 429 not in answers and len(answers) < 10 * throttle.BURST:
        answers.append(ask(enrolling_hub, guess(token, len(answers))).status_code)
    assert set(answers[: throttle.BURST]) == {403}
    assert answers[-1] == 429
    refused = ask(enrolling_hub, token)
    assert refused.status_code == 429, "not even with the right one"
    assert int(refused.headers["Retry-After"]) >= 1
    elsewhere = enrolling_hub.app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert ask(enrolling_hub, token, client=elsewhere).status_code == 200, "from elsewhere it is good"


def guess(token, number):
    return Token(device=token.device, secret=f"guess-{number}", fingerprint=token.fingerprint)


def test_the_name_in_a_signing_request_counts_for_nothing(enrolling_hub, token):
    key = ec.generate_private_key(ec.SECP256R1())
    for name in ("hub", "pump-07", "andon-hub"):
        answer = ask(enrolling_hub, token, signing_request(key, name=name))
        assert answer.json["device"] == "press-04"
        certificate = x509.load_pem_x509_certificate(answer.json["certificate"].encode())
        assert certificate.subject.rfc4514_string() == "CN=press-04"


def test_a_token_in_anothers_name_is_refused(enrolling_hub, token):
    renamed = Token(device="hub", secret=token.secret, fingerprint=token.fingerprint)
    assert "not known here" in ask(enrolling_hub, renamed).json["error"]
    assert ask(enrolling_hub, token).status_code == 200


def test_a_token_that_was_used_certifies_no_second_key(enrolling_hub, token):
    assert ask(enrolling_hub, token).status_code == 200
    again = ask(enrolling_hub, token)
    assert (again.status_code, "was used at" in again.json["error"]) == (403, True)


def test_a_stolen_identity_renews_itself_until_it_is_retired_and_then_opens_nothing(
    enrolling_hub, stolen, token
):
    renewal.renew(stolen, Disk())
    revoking.retire(enrolling_hub.database, name="press-04", reason="stolen", now=NOW, note=devices.unnoted)
    with pytest.raises(CertificationError, match="device 'press-04' is retired"):
        renewal.renew(stolen, Disk())
    same_key = signing_request(load_pem_private_key(stolen.key.read_bytes(), password=None))
    for csr in (same_key, signing_request()):
        assert "is retired" in ask(enrolling_hub, token, csr).json["error"]
    rows = enrolling_hub.database.rows("SELECT revoked, reason, cut FROM certificate")
    assert [(row["reason"], row["cut"]) for row in rows] == [("stolen", None)] * 2
    assert all(row["revoked"] for row in rows)


class Dawdling(Authority):
    """Takes its time between the question whether to sign and the signature."""

    def __init__(self, authority):
        super().__init__(authority.certificate_file.parent)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def sign_csr(self, *request):
        self.asked.set()
        self.go_on.wait(10)
        return super().sign_csr(*request)


def test_a_device_retired_while_it_renews_ends_with_no_certificate_that_is_good(enrolling_hub, stolen):
    """Retirement waits for what is being signed, and revokes that as well."""
    key = load_pem_private_key(stolen.key.read_bytes(), password=None)
    request = {"certificate": stolen.certificate.read_bytes(), "csr": signing_request(key)}
    database, authority = enrolling_hub.database, Dawdling(enrolling_hub.authority)
    with ThreadPoolExecutor() as threads:
        renewing = threads.submit(certifying.renew, database, authority, **request)
        assert authority.asked.wait(10)
        act = {"name": "press-04", "reason": "stolen", "now": NOW, "note": devices.unnoted}
        retiring = threads.submit(revoking.retire, database, **act)
        with pytest.raises(TimeoutError):
            retiring.result(timeout=0.3)
        authority.go_on.set()
        renewing.result(timeout=10)
        assert retiring.result(timeout=10) == 2
    assert database.rows("SELECT FROM certificate WHERE revoked IS NULL") == []


def test_enrolling_anew_revokes_what_was_certified_before(enrolling_hub, stolen):
    again = devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04")
    answer = ask(enrolling_hub, again)
    serial = x509.load_pem_x509_certificate(answer.json["certificate"].encode()).serial_number
    good = enrolling_hub.database.rows("SELECT serial FROM certificate WHERE revoked IS NULL")
    assert good == [{"serial": f"{serial:x}"}]


def test_whoever_revokes_is_heard_at_once(enrolling_hub, stolen):
    with enrolling_hub.database.connect() as listener:
        listener.execute(f"LISTEN {revoking.REVOKED}")
        revoking.retire(enrolling_hub.database, name="press-04", reason="x", now=NOW, note=devices.unnoted)
        assert next(listener.notifies(timeout=5))


def test_the_operator_is_warned_of_a_certificate_that_ends_unrenewed(enrolling_hub, stolen):
    device = fleet.device(enrolling_hub.database, "press-04")
    ends = device.certificate_ends
    assert endings.warning(device, ends - timedelta(days=31)) == ""
    assert "ends in 29 days" in endings.warning(device, ends - timedelta(days=29, hours=5))
    assert "has ended" in endings.warning(device, ends)
    enrolling_hub.database.execute("DELETE FROM certificate")
    forgotten = fleet.device(enrolling_hub.database, "press-04")
    assert "no certificate is on record" in endings.warning(forgotten, ends)


def test_failures_are_forgotten_with_time_and_each_peer_has_its_own():
    limit = Throttle(burst=3, per_second=0.5)
    for _ in range(3):
        assert limit.wait_s("192.0.2.1", 0.0) == 0
        limit.failed("192.0.2.1", 0.0)
    assert limit.wait_s("192.0.2.1", 0.0) == 2
    assert limit.wait_s("192.0.2.2", 0.0) == 0
    assert limit.wait_s("192.0.2.1", 2.0) == 0


def test_one_network_of_ipv6_is_one_peer():
    limit = Throttle(burst=1, per_second=0.1)
    limit.failed("2001:db8::1", 0.0)
    assert limit.wait_s("2001:db8::2:3", 0.0) > 0
    assert limit.wait_s("2001:db8:0:1::1", 0.0) == 0


def test_a_flood_from_many_addresses_takes_no_more_memory_than_it_may():
    limit = Throttle(burst=1, per_second=0.001, most_peers=10)
    for number in range(200):
        limit.failed(f"192.0.2.{number}", float(number))
    assert len(limit._peers) == 10
    assert limit.wait_s("192.0.2.199", 199.0) > 0


class Endless(io.RawIOBase):
    """A body that was begun, and whose rest comes once ``goes_on`` is set."""

    def __init__(self, goes_on):
        self.begun, self.goes_on = threading.Event(), goes_on

    def readable(self):
        return True

    def readinto(self, _):
        self.begun.set()
        self.goes_on.wait()
        return 0


def test_who_begins_requests_and_never_ends_them_leaves_threads_for_everybody_else(repository_client):
    client, goes_on = repository_client[0], threading.Event()
    app = client.application

    def begin(body, address="192.0.2.1"):
        told = {"REMOTE_ADDR": address, "CONTENT_LENGTH": "100", "wsgi.input": body}
        return app.test_client().post("/enroll", environ_overrides=told).status_code

    bodies = [Endless(goes_on) for _ in range(device_api.OF_ONE)]
    at_last = threading.Timer(60, goes_on.set)  # or a listener without places would never answer
    at_last.start()
    with ThreadPoolExecutor(len(bodies)) as threads:
        try:
            begun = [threads.submit(begin, body) for body in bodies]
            assert all(body.begun.wait(30) for body in bodies)
            last = Endless(goes_on)
            assert begin(last) == 503
            assert not last.begun.is_set()
            assert begin(io.BytesIO(b"x" * 100), "192.0.2.2") == 403
            with client.get("/metadata/root.json") as answer:
                assert answer.status_code == 200
        finally:
            goes_on.set()
            at_last.cancel()
        assert {each.result() for each in begun} <= {400, 403}
    assert begin(io.BytesIO(b"x" * 100)) == 403
