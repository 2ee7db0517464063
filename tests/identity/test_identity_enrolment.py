"""Enrolment from the operator's token to the device's certificate, over TLS and with a real database."""

import json
import socket
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from identity_requests import signing_request
from typer.testing import CliRunner

from cloud_hub.errors import ConfigError, ConflictError, NotFoundError, TrustError
from cloud_hub.identity import certifying, devices
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.tokens import Token
from edge_agent.certification import CertificationError
from edge_agent.enrolment import enroll
from edge_agent.identity import Identity

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def add(hub, name="press-04", **changes):
    wanted = {"site": "plant-1", "profile": "generic", "zone": "Europe/Berlin", "now": NOW} | changes
    return devices.add(hub.database, hub.authority, name=name, **wanted)


def test_a_token_becomes_an_identity_once(enrolling_hub):
    token = str(add(enrolling_hub))
    folder = enroll(enrolling_hub.agent(), token)
    identity = Identity.load(enrolling_hub.agent())
    assert (identity.device, identity.site, identity.broker_host) == ("press-04", "plant-1", "localhost")
    assert stat.S_IMODE((folder / "device.key").stat().st_mode) == 0o600
    row = enrolling_hub.database.row("SELECT key_fingerprint, enrolled FROM device")
    assert row["key_fingerprint"] == identity.key_fingerprint
    certificate = x509.load_pem_x509_certificate((folder / "device.crt").read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(enrolling_hub.authority.certificate))
    assert (
        identity.root.read_bytes()
        == (enrolling_hub.config.state_dir / "repository" / "metadata" / "root.json").read_bytes()
    )
    assert [path.name for path in enrolling_hub.agent().state_dir.iterdir()] == ["identity"]


def test_an_identity_is_kept_unless_forced(enrolling_hub):
    agent = enrolling_hub.agent()
    enroll(agent, str(add(enrolling_hub)))
    before = Identity.load(agent).key_fingerprint
    again = str(devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04"))
    with pytest.raises(CertificationError, match="--force replaces it"):
        enroll(agent, again)
    enroll(agent, again, force=True)
    assert Identity.load(agent).key_fingerprint != before


def test_a_used_token_is_refused_to_another_key(enrolling_hub):
    token = str(add(enrolling_hub))
    enroll(enrolling_hub.agent(), token)
    with pytest.raises(CertificationError, match="this token was used at"):
        enroll(enrolling_hub.agent(), token, force=True)
    assert Identity.load(enrolling_hub.agent())


def test_an_answer_that_was_lost_does_not_cost_a_token(enrolling_hub):
    token, csr = add(enrolling_hub), signing_request()
    first = certifying.enrol(enrolling_hub.database, enrolling_hub.authority, token=token, csr=csr, now=NOW)
    again = certifying.enrol(enrolling_hub.database, enrolling_hub.authority, token=token, csr=csr, now=NOW)
    assert first.device == again.device


def test_an_expired_token_is_refused(enrolling_hub):
    token = str(add(enrolling_hub, lifetime=timedelta(seconds=-1)))
    with pytest.raises(CertificationError, match="this token expired at"):
        enroll(enrolling_hub.agent(), token)
    assert not (enrolling_hub.agent().state_dir / "identity").exists()


def test_a_replaced_token_and_a_stranger_s_token_are_refused(enrolling_hub):
    replaced = str(add(enrolling_hub))
    devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04")
    with pytest.raises(CertificationError, match="not known here"):
        enroll(enrolling_hub.agent(), replaced)


def test_a_token_of_one_device_enrols_no_other(enrolling_hub):
    token = add(enrolling_hub)
    with pytest.raises(CertificationError, match="the token is for 'press-04', this device is 'press-05'"):
        enroll(enrolling_hub.agent("press-05"), str(token))
    renamed = Token(device="press-05", secret=token.secret, fingerprint=token.fingerprint)
    with pytest.raises(CertificationError, match="not known here"):
        enroll(enrolling_hub.agent("press-05"), str(renamed))


def test_a_hub_with_another_authority_never_sees_the_token(enrolling_hub, tmp_path):
    elsewhere = Authority(tmp_path / "other").ensure()
    token = add(enrolling_hub)
    pinned = Token(device=token.device, secret=token.secret, fingerprint=elsewhere.fingerprint)
    with pytest.raises(CertificationError, match="the token was not sent"):
        enroll(enrolling_hub.agent(), str(pinned))
    enroll(enrolling_hub.agent(), str(token))  # it is as good as before


def test_a_server_that_shows_the_right_authority_but_is_not_the_hub_is_refused(enrolling_hub):
    token = str(add(enrolling_hub))
    elsewhere = enrolling_hub.url.replace("127.0.0.1", "127.0.0.2")  # not a name in its certificate
    with pytest.raises(CertificationError, match="does not prove to be the hub"):
        enroll(enrolling_hub.agent(url=elsewhere), token)


@pytest.mark.parametrize(
    "token", ["", "garbage", "a.b.c", "press-04..", "x" * 1000, "press-04.é." + "0" * 64]
)
def test_a_garbled_token_is_refused_before_anybody_is_asked(enrolling_hub, token):
    with pytest.raises(CertificationError, match="expected a token") as refused:
        enroll(enrolling_hub.agent(url="https://127.0.0.1:1"), token)
    assert "garbage" not in str(refused.value)


def test_a_hub_that_is_not_there_is_one_sentence(enrolling_hub):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(CertificationError, match=r"the hub cannot be reached at https://127\.0\.0\.1:"):
        enroll(enrolling_hub.agent(url=f"https://127.0.0.1:{port}"), str(add(enrolling_hub)))
    with pytest.raises(CertificationError, match=r"expected hub\.url as https"):
        enroll(
            enrolling_hub.agent("press-06", url="http://127.0.0.1:80"), str(add(enrolling_hub, "press-06"))
        )


@pytest.mark.parametrize("url", ["https://hub:99999", "https://[::1", "ftp:hub"])
def test_an_address_that_is_none_is_one_sentence(enrolling_hub, url):
    with pytest.raises(CertificationError, match=r"expected hub\.url as https"):
        enroll(enrolling_hub.agent("press-07", url=url), str(add(enrolling_hub, "press-07")))


def test_only_a_hash_of_the_secret_is_stored(enrolling_hub):
    token = add(enrolling_hub)
    (row,) = enrolling_hub.database.rows("SELECT * FROM enrol_token")
    assert token.secret not in str(row)
    assert row["secret_sha256"] == token.secret_sha256


def test_a_device_is_added_once_and_its_site_once(enrolling_hub):
    add(enrolling_hub)
    add(enrolling_hub, "press-05", zone=None)
    with pytest.raises(ConflictError, match="there already: --again"):
        add(enrolling_hub)
    with pytest.raises(ConflictError, match="is in Europe/Berlin, not in Asia/Tokyo"):
        add(enrolling_hub, "press-06", zone="Asia/Tokyo")
    assert len(enrolling_hub.database.rows("SELECT 1 FROM site")) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "hub"}, ConflictError),
        ({"name": "Press 4"}, TrustError),
        ({"name": "p/4"}, TrustError),
        ({"site": "Plant 1"}, ConfigError),
        ({"zone": "Mars/Olympus"}, ConfigError),
        ({"profile": "toaster"}, ConfigError),
    ],
)
def test_names_that_would_do_harm_are_refused(enrolling_hub, changes, error):
    with pytest.raises(error):
        add(enrolling_hub, **changes)
    assert enrolling_hub.database.rows("SELECT 1 FROM device") == []


def test_no_token_for_a_device_nobody_added_or_one_that_retired(enrolling_hub):
    with pytest.raises(NotFoundError):
        devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04")
    token = str(add(enrolling_hub))
    enrolling_hub.database.execute("UPDATE device SET retired = now()")
    with pytest.raises(ConflictError, match="retired"):
        devices.add_token(enrolling_hub.database, enrolling_hub.authority, name="press-04")
    with pytest.raises(CertificationError, match="is retired"):
        enroll(enrolling_hub.agent(), token)


def test_the_command_prints_the_token_once_or_writes_it_for_its_owner(enrolling_hub, monkeypatch, tmp_path):
    from cloud_hub.device_cli import device_app

    file = enrolling_hub.config.state_dir / "hub.toml"
    file.write_text(f'database_url = "{enrolling_hub.config.database_url}"\n')
    monkeypatch.setenv("ANDON_HUB_CONFIG", str(file))
    shown = CliRunner().invoke(device_app, ["add", "press-04", "--site", "plant-1", "--profile", "generic"])
    assert shown.exit_code == 0, shown.output
    assert Token.parse(shown.output).device == "press-04"
    again = ["add", "press-04", "--again", "--token-file", str(tmp_path / "token"), "--json"]
    written = CliRunner().invoke(device_app, again)
    assert json.loads(written.output)["device"] == "press-04"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    enroll(enrolling_hub.agent(), (tmp_path / "token").read_text())
    acts = enrolling_hub.database.rows("SELECT action, subject, detail FROM audit ORDER BY id")
    assert [(act["action"], act["subject"]) for act in acts] == [
        ("device.add", "press-04"),
        ("device.token", "press-04"),
    ]
    assert "secret" not in str(acts)
