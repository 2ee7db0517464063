"""Who is retired is out: of a live session within seconds, and for good, with a real broker and database."""

import shutil
import socket
import ssl
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from broker_world import Client
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import (
    CertificateSigningRequestBuilder,
    Name,
    load_pem_x509_certificate,
    load_pem_x509_crl,
)

from cloud_hub.errors import UnreachableError
from cloud_hub.identity import certificates, certifying, devices, revoking
from cloud_hub.identity.ca import Authority, expires
from cloud_hub.identity.door import Door
from cloud_hub.identity.revoked_list import RevokedList
from cloud_hub.identity.revoker import Revoker
from cloud_hub.parts.broker import Broker, ServerFiles, find_mosquitto
from cloud_hub.parts.places import sweep
from cloud_hub.store.database import Database
from wire.topics import Channel, Topic

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto on this machine")

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CUT_S = 5.0
KEPT = {"Success", "No matching subscribers"}  # what the broker answers to whom it lets speak


@dataclass
class Plant:
    """A hub's broker, its supervisor's eye on the list, and what the web process does beside it."""

    database: Database
    authority: Authority
    part: Broker
    folder: Path

    @property
    def host(self):
        return self.part.address.host

    @property
    def port(self):
        return self.part.address.port

    @property
    def door(self):
        return Door(host=self.host, port=self.port, check_name=False)

    def revoker(self, **options):
        return Revoker(self.database, self.authority, lambda: self.door, **options)

    def enrol(self, name, again=False):
        if again:
            token = devices.add_token(self.database, self.authority, name=name)
        else:
            token = devices.add(
                self.database, self.authority, name=name, site="s", profile="generic", zone=None, now=NOW
            )
        key = ec.generate_private_key(ec.SECP256R1())
        csr = CertificateSigningRequestBuilder(Name([])).sign(key, hashes.SHA256())
        pem = csr.public_bytes(serialization.Encoding.PEM)
        certified = certifying.enrol(self.database, self.authority, token=token, csr=pem, now=NOW)
        plain = serialization.NoEncryption()
        key_pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        (self.folder / f"{name}.pem").write_bytes(key_pem + certified.certificate)

    def retire(self, name):
        revoking.retire(self.database, name=name, reason="stolen", now=NOW, note=devices.unnoted)

    def client(self, name, *, client_id=None):
        made = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id or name,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        made.tls_set_context(self.context(name))
        return made

    def context(self, name):
        file = self.folder / f"{name}.pem"
        if name == "hub":
            places = certificates.HubCertificates.of(self.folder)
            file.write_bytes(places.client_key.read_bytes() + places.client_certificate.read_bytes())
        context = ssl.create_default_context(cafile=self.authority.certificate_file)
        context.check_hostname = False
        context.load_cert_chain(file)
        return context

    def admits(self, name):
        """Whether the broker answers a CONNECT of ``name`` with success."""
        connect = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00"
        return self._answer(name, connect)[:1] == b"\x20"

    def admits_tls(self, name):
        """Whether the broker waits for a CONNECT of ``name``, which would end the session it has."""
        return self._answer(name, b"") is None

    def _answer(self, name, packet):
        """What comes back; None for nothing yet, and no bytes where the connection ended."""
        try:
            with (
                socket.create_connection((self.host, self.port), timeout=5) as plain,
                self.context(name).wrap_socket(plain) as secure,
            ):
                secure.sendall(packet)
                secure.settimeout(5 if packet else 0.3)
                return secure.recv(64)
        except TimeoutError:
            return None
        except OSError:
            return b""


@pytest.fixture
def plant(state_root, database):
    folder = state_root / "hub"
    places = certificates.ensure(folder, ["localhost", "127.0.0.1"])
    authority = Authority.of(folder)
    with Database(database) as opened:
        revoked = RevokedList(authority)
        revoked.follow(opened)
        files = ServerFiles(
            ca=places.ca,
            certificate=places.server_certificate,
            key=places.server_key,
            revoked=revoked.file,
        )
        part = Broker(folder, files, ephemeral=True)
        part.start()
        yield Plant(opened, authority, part, folder)
        part.stop()
    shutil.rmtree(folder)
    sweep()


@contextmanager
def supervised(plant):
    """The supervisor's look at the list, five times a second."""
    ended = threading.Event()

    def look():
        while not ended.wait(0.2):
            plant.part.heed()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def running(plant):
    revoker = plant.revoker()
    with supervised(plant):
        revoker.start()
        try:
            yield revoker
        finally:
            revoker.stop()


def test_a_retired_device_s_live_session_is_cut_within_five_seconds_and_does_not_come_back(plant):
    for name in ("press-04", "pump-07"):
        plant.enrol(name)
    press, pump = Client(plant, "press-04"), Client(plant, "pump-07")
    with running(plant):
        plant.retire("press-04")
        since = time.monotonic()
        assert press.ends.get(timeout=CUT_S)
        assert time.monotonic() - since < CUT_S
        assert not plant.admits("press-04")
        until(lambda: not revoking.uncut(plant.database, "press-04"))  # written down after the cut itself
    assert pump.ends.empty(), "a neighbour keeps its session"
    assert pump.say(Topic("pump-07", Channel.BATCH)) in KEPT
    press.leave()
    pump.leave()


def test_a_new_list_alone_refuses_who_comes_and_leaves_who_is_there(plant):
    """Why sessions have to be cut; a broker that came to do it by itself would be welcome."""
    plant.enrol("press-04")
    press = Client(plant, "press-04")
    plant.retire("press-04")
    RevokedList(plant.authority).follow(plant.database)
    plant.part.heed()
    until(lambda: not plant.admits_tls("press-04"))
    assert press.say(Topic("press-04", Channel.BATCH)) in KEPT
    press.leave()


def test_what_a_retired_device_retained_is_gone_and_its_last_will_is_not_left_behind(plant):
    plant.enrol("press-04")
    topics = [Topic("press-04", Channel.BIRTH), Topic("press-04", Channel.STATUS)]
    press = Client(plant, "press-04", will=topics[1])
    for topic in topics:
        press.say(topic, b"I am here", retain=True)
    with running(plant):
        plant.retire("press-04")
        assert press.ends.get(timeout=CUT_S)
        until(lambda: not revoking.uncut(plant.database, "press-04"))
    press.leave()
    hub = Client(plant, "hub")
    hub.hear("andon/v1/+/birth", "andon/v1/+/status")
    assert hub.hears_nothing()
    hub.leave()


def test_a_device_enrolled_anew_stays_and_the_key_it_had_is_out(plant):
    plant.enrol("press-04")
    old = (plant.folder / "press-04.pem").read_bytes()
    thief = Client(plant, "press-04")
    thief.say(Topic("press-04", Channel.BIRTH), b"born", retain=True)
    with running(plant):
        plant.enrol("press-04", again=True)
        assert thief.ends.get(timeout=CUT_S)
        until(lambda: not revoking.uncut(plant.database, "press-04"))
        assert plant.admits("press-04")
        (plant.folder / "press-04.pem").write_bytes(old)
        assert not plant.admits("press-04")
    thief.leave()
    hub = Client(plant, "hub")
    hub.hear("andon/v1/+/birth")
    assert hub.next().payload == b"born", "a device in service keeps what it retained"
    hub.leave()


def test_a_restarted_broker_keeps_the_list(plant):
    plant.enrol("press-04")
    with running(plant):
        plant.retire("press-04")
        until(lambda: not revoking.uncut(plant.database, "press-04"))
    plant.part.stop()
    plant.part.start()
    assert not plant.admits("press-04")


def test_what_was_revoked_while_the_hub_was_down_is_told_at_its_start(plant):
    for name in ("press-04", "pump-07"):
        plant.enrol(name)
    plant.retire("press-04")
    plant.part.stop()
    assert RevokedList(plant.authority).follow(plant.database)
    assert not RevokedList(plant.authority).follow(plant.database), "nothing is new the second time"
    plant.part.start()
    assert plant.admits("pump-07")
    assert not plant.admits("press-04")


def test_of_two_lists_made_in_one_second_the_later_is_the_newer(plant):
    """RFC 5280 counts in seconds, and a broker that holds both goes by that."""
    revoked = RevokedList(plant.authority)
    first = load_pem_x509_crl(revoked.file.read_bytes())
    for name in ("press-04", "pump-07"):
        plant.enrol(name)
        plant.retire(name)
        revoked.follow(plant.database)
        plant.part.heed()
    last = load_pem_x509_crl(revoked.file.read_bytes())
    assert last.last_update_utc >= first.last_update_utc + timedelta(seconds=2)

    def heeded() -> bool:
        plant.part.reload()  # a signal that comes while mosquitto reads is lost; a revoker makes a new list then
        return not plant.admits_tls("pump-07")

    until(heeded)
    assert not plant.admits_tls("press-04")


def test_a_broker_that_does_not_heed_the_list_is_told_of_and_cuts_again_each_time(plant, capsys):
    plant.enrol("press-04")
    plant.enrol("pump-07")
    plant.retire("press-04")
    plant.enrol("pump-07", again=True)
    press, pump = Client(plant, "press-04"), Client(plant, "pump-07")
    revoker = plant.revoker(heed_s=0.2)  # nobody hands the list to the broker
    revoker.turn()
    assert press.ends.get(timeout=CUT_S)
    press.leave()
    press = Client(plant, "press-04")
    revoker.turn()
    assert press.ends.get(timeout=CUT_S)
    assert pump.ends.empty(), "who is in service is left alone: nothing would be won"
    assert revoking.uncut(plant.database, "press-04")
    assert capsys.readouterr().out.count("does not heed") == 1
    press.leave()
    pump.leave()


def test_a_broker_that_is_away_is_waited_for(plant):
    plant.enrol("press-04")
    plant.part.stop()
    plant.retire("press-04")
    with pytest.raises(UnreachableError, match="does not answer"):
        plant.revoker().turn()
    plant.part.start()
    with supervised(plant):
        plant.revoker().turn()
    assert not revoking.uncut(plant.database, "press-04")


def test_the_certificate_that_cuts_a_session_is_no_device_s_and_lives_for_minutes(
    plant, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    plant.enrol("press-04")
    issued = []
    issue = plant.authority.issue_client
    monkeypatch.setattr(
        plant.authority,
        "issue_client",
        lambda *args, **options: issued.append(issue(*args, **options)) or issued[-1],
    )
    plant.door.cut(plant.authority, "press-04", for_good=False)
    (made,) = issued
    assert expires(made.certificate) - datetime.now(UTC) <= timedelta(minutes=5)
    assert len(plant.database.rows("SELECT FROM certificate")) == 1
    assert list(tmp_path.iterdir()) == [], "its key is gone"


def test_the_list_is_good_for_as_long_as_the_authority(plant):
    """A list past its next update would lock out the whole fleet."""
    found = load_pem_x509_crl(RevokedList(plant.authority).file.read_bytes())
    assert found.next_update_utc == expires(plant.authority.certificate)
    assert found.is_signature_valid(load_pem_x509_certificate(plant.authority.certificate).public_key())


def until(true, seconds=CUT_S):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
