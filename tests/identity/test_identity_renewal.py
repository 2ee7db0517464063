"""A certificate is renewed for the key it certifies, in time, and for nobody whom the hub does not trust."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from identity_requests import signing_request
from typer.testing import CliRunner

from cloud_hub.errors import TrustError
from cloud_hub.identity import certifying, devices, revoking
from cloud_hub.identity.ca import Authority
from edge_agent import renewal
from edge_agent.certification import CertificationError
from edge_agent.cli import edge_app
from edge_agent.enrolment import enroll
from edge_agent.identity import Identity
from edge_agent.updates.disk import Disk

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def token(hub, name="press-04"):
    added = {"site": "plant-1", "profile": "generic", "zone": "Europe/Berlin", "now": NOW}
    return devices.add(hub.database, hub.authority, name=name, **added)


@pytest.fixture
def identity(enrolling_hub):
    enroll(enrolling_hub.agent(), str(token(enrolling_hub)))
    return Identity.load(enrolling_hub.agent())


def renew(hub, *, certificate, key, lifetime=timedelta(days=397)):
    return certifying.renew(
        hub.database, hub.authority, certificate=certificate, csr=signing_request(key), lifetime=lifetime
    )


def key_of(identity):
    return load_pem_private_key(identity.key.read_bytes(), password=None)


def on_record(hub):
    return {row["serial"] for row in hub.database.rows("SELECT serial FROM certificate")}


def serial(pem):
    return f"{x509.load_pem_x509_certificate(pem).serial_number:x}"


def test_every_certificate_the_hub_signs_for_a_device_is_on_record(enrolling_hub, identity):
    first = identity.certificate.read_bytes()
    renewal.renew(identity, Disk())
    second = identity.certificate.read_bytes()
    assert on_record(enrolling_hub) == {serial(first), serial(second)}
    row = enrolling_hub.database.row("SELECT * FROM certificate LIMIT 1")
    assert row["key_fingerprint"] == identity.key_fingerprint
    assert timedelta(days=396) < row["expires"] - row["issued"] <= timedelta(days=397)


def test_the_key_stays_and_the_site_s_zone_comes_along(enrolling_hub, identity):
    assert identity.zone == "Europe/Berlin"
    enrolling_hub.database.execute("UPDATE site SET zone = 'Asia/Tokyo'")
    renewal.renew(identity, Disk())
    renewed = Identity.load(enrolling_hub.agent())
    assert (renewed.key_fingerprint, renewed.zone) == (identity.key_fingerprint, "Asia/Tokyo")
    assert renewed.tls()


def test_a_certificate_that_ended_while_the_device_was_off_is_renewed(enrolling_hub, identity):
    ended = renew(
        enrolling_hub,
        certificate=identity.certificate.read_bytes(),
        key=key_of(identity),
        lifetime=timedelta(seconds=-1),
    )
    identity.certificate.write_bytes(ended.certificate)
    assert renewal.renew(identity, Disk()).not_valid_after_utc > datetime.now(UTC)


def test_a_retired_device_is_not_renewed(enrolling_hub, identity):
    retire(enrolling_hub)
    with pytest.raises(CertificationError, match="device 'press-04' is retired"):
        renewal.renew(identity, Disk())


def test_a_revoked_certificate_is_not_renewed(enrolling_hub, identity):
    again = devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04")
    certifying.enrol(
        enrolling_hub.database, enrolling_hub.authority, token=again, csr=signing_request(), now=NOW
    )
    with pytest.raises(CertificationError, match=r"was revoked at .* \(enrolled anew\): enrol anew"):
        renewal.renew(identity, Disk())


def test_a_certificate_of_another_authority_is_not_renewed(enrolling_hub, identity, tmp_path):
    stranger = Authority(tmp_path / "stranger").ensure()
    forged = stranger.sign_csr(signing_request(key_of(identity)), "press-04")
    with pytest.raises(TrustError, match=r"not .* of this hub's authority"):
        renew(enrolling_hub, certificate=forged, key=key_of(identity))
    renamed = stranger_with_our_name(enrolling_hub, tmp_path).sign_csr(signing_request(), "press-04")
    with pytest.raises(TrustError, match="its signature is another's"):
        renew(enrolling_hub, certificate=renamed, key=key_of(identity))


def stranger_with_our_name(hub, tmp_path):
    """An authority with the hub's certificate and a key of its own, as a forger has it."""
    forger = Authority(tmp_path / "forger").ensure()
    (tmp_path / "forger" / "ca.crt").write_bytes(hub.authority.certificate)
    return forger


def test_a_request_by_another_key_than_the_certificate_s_is_refused(enrolling_hub, identity):
    """Whoever has seen a certificate, which is no secret, cannot have another key certified by it."""
    thief = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(TrustError, match="expected a request of the key that 'press-04' enrolled with"):
        renew(enrolling_hub, certificate=identity.certificate.read_bytes(), key=thief)


def test_a_certificate_of_ours_for_another_key_than_the_device_s_is_refused(enrolling_hub, identity):
    """Such as the one, minutes long, with which the hub ends a session in a device's name."""
    issued = enrolling_hub.authority.issue_client("press-04")
    key = load_pem_private_key(issued.key, password=None)
    with pytest.raises(TrustError, match="expected a certificate of the key that 'press-04' enrolled with"):
        renew(enrolling_hub, certificate=issued.certificate, key=key)


def test_a_certificate_of_no_device_is_not_renewed(enrolling_hub, identity):
    for name in ("hub", "andon-hub", "ghost"):
        issued = enrolling_hub.authority.issue_client(name)
        key = load_pem_private_key(issued.key, password=None)
        with pytest.raises(TrustError, match=f"no device '{name}' is known here"):
            renew(enrolling_hub, certificate=issued.certificate, key=key)


def test_what_a_restored_hub_has_forgotten_is_renewed_and_put_on_record(enrolling_hub, identity):
    before = identity.certificate.read_bytes()
    enrolling_hub.database.execute("DELETE FROM certificate")
    renewal.renew(identity, Disk())
    assert on_record(enrolling_hub) == {serial(before), serial(identity.certificate.read_bytes())}


def test_a_payload_cannot_say_who_it_is_about(enrolling_hub, identity):
    token(enrolling_hub, "pump-07")
    fields = {
        "certificate": identity.certificate.read_text(),
        "csr": signing_request(key_of(identity), name="pump-07").decode(),
        "device": "pump-07",
        "site": "elsewhere",
    }
    answer = enrolling_hub.app.test_client().post("/renew", data=json.dumps(fields))
    assert (answer.json["device"], answer.json["site"]) == ("press-04", "plant-1")
    names = x509.load_pem_x509_certificate(answer.json["certificate"].encode()).subject
    assert names.rfc4514_string() == "CN=press-04"


def test_a_renewal_that_is_none_is_one_sentence(enrolling_hub):
    client = enrolling_hub.app.test_client()
    for body in ('{"certificate": "x", "csr": "y"}', '{"csr": "y"}', "[", "x" * 20_000):
        answer = client.post("/renew", data=body)
        assert answer.status_code in {403, 413}
        assert set(answer.json) == {"error"}


def test_renewal_is_due_when_a_third_of_the_lifetime_is_left_and_spread_over_the_fleet(identity):
    certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    first, last = renewal.due(certificate, 0.0), renewal.due(certificate, 1.0)
    assert abs(certificate.not_valid_after_utc - first - lifetime / 3) < timedelta(seconds=1)
    assert timedelta(days=30) < last - first < timedelta(days=35)


def test_the_agent_renews_when_it_is_time_and_not_before(enrolling_hub, identity):
    now = [datetime.now(UTC)]
    part = renewal.Renewal(identity, disk=Disk(), random=Random(1), now=lambda: now[0])
    before = part.ends
    assert part.turn() == renewal.LOOK_S
    assert part.ends == before
    now[0] += timedelta(days=300)
    part.turn()
    assert part.ends >= before
    assert len(on_record(enrolling_hub)) == 2
    assert part.status() == {"ends": part.ends.isoformat(), "trouble": ""}


def test_a_refused_renewal_is_told_and_tried_again_later_each_time(enrolling_hub, identity):
    retire(enrolling_hub)
    later = datetime.now(UTC) + timedelta(days=300)
    part = renewal.Renewal(identity, disk=Disk(), random=Random(1), now=lambda: later)
    waits = [part.turn() for _ in range(12)]
    assert "is retired" in part.status()["trouble"]
    assert waits[0] < 2 * renewal.AGAIN.first_s
    assert renewal.AGAIN.longest_s <= waits[-1] <= 1.5 * renewal.AGAIN.longest_s


def test_the_command_renews_by_hand_and_says_until_when_or_why_not(enrolling_hub, identity, tmp_path):
    file = tmp_path / "agent.toml"
    file.write_text(
        f'device = "press-04"\nstate_dir = "{identity.folder.parent}"\n'
        f'[hub]\nurl = "{enrolling_hub.url}"\n[feed]\naddress = "unix:/nowhere"\n'
    )
    done = CliRunner().invoke(edge_app, ["renew", "--config", str(file)])
    assert "press-04: its new certificate ends 20" in done.output
    assert len(on_record(enrolling_hub)) == 2
    retire(enrolling_hub)
    refused = CliRunner().invoke(edge_app, ["renew", "--config", str(file)])
    assert refused.exit_code == 1
    assert "is retired" in str(refused.exception)


def test_a_hub_that_is_away_is_no_reason_to_stop(enrolling_hub, identity, monkeypatch):
    monkeypatch.setattr(renewal, "ask", unreachable)
    later = datetime.now(UTC) + timedelta(days=300)
    part = renewal.Renewal(identity, disk=Disk(), random=Random(1), now=lambda: later)
    assert part.turn() >= renewal.AGAIN.first_s
    assert part.trouble == "away"
    monkeypatch.undo()
    assert part.turn() == renewal.LOOK_S
    assert part.trouble == ""


def unreachable(*_):
    raise CertificationError("away")


def retire(hub, name="press-04"):
    revoking.retire(hub.database, name=name, reason="stolen", now=NOW, note=devices.unnoted)
