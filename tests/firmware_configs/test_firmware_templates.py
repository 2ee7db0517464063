"""Host files made from templates: they are complete, and systemd and mosquitto take them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_configs.errors import TemplateError
from firmware_configs.templates import edge_unit, hub_unit, mosquitto_conf

UNITS = {"edge": edge_unit, "hub": hub_unit}


def unit(kind, **changed):
    values = {
        "andon": Path("/bin/true"),
        "config": Path("/etc/andon/agent.toml"),
        "user": "daemon",
        "state_dir": Path("/var/lib/andon/edge"),
    }
    return UNITS[kind](**{**values, **changed})


@pytest.mark.parametrize("kind", UNITS)
def test_a_unit_starts_its_command_again_for_ever_and_as_no_root(kind):
    text = unit(kind)
    assert f'ExecStart="/bin/true" {kind} run' in text
    for line in ("Restart=always", "StartLimitIntervalSec=0", "User=daemon", "NoNewPrivileges=yes"):
        assert line in text.splitlines()
    assert "$" not in text


@pytest.mark.parametrize("kind", UNITS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_finds_nothing_to_complain_about(kind, tmp_path):
    file = tmp_path / f"andon-{kind}.service"
    file.write_text(unit(kind))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if file.name in line]
    assert complaints == []


@pytest.mark.parametrize("path", ['/x"\nExecStartPre=/bin/sh', "/a\nb"])
def test_a_path_cannot_smuggle_a_directive_into_a_unit(path):
    with pytest.raises(TemplateError, match="expected a plain path"):
        unit("edge", config=Path(path))


def test_the_broker_asks_for_certificates_and_bounds_its_queues_in_bytes():
    place = Path("/place")
    lines = mosquitto_conf(
        listen="127.0.0.1",
        port=8883,
        hub_port=8884,
        ca=place / "ca.crt",
        certificate=place / "server.crt",
        key=place / "server.key",
        acl=place / "acl",
        persistence=place / "sessions",
        revoked=place / "revoked.crl",
    ).splitlines()
    for line in (
        "listener 8883 127.0.0.1",
        "listener 8884 127.0.0.1",
        "use_username_as_clientid true",
        "require_certificate true",
        "use_identity_as_username true",
        "allow_anonymous false",
        "tls_version tlsv1.2",
        "crlfile /place/revoked.crl",
        "max_queued_messages 0",
        "max_inflight_messages 1000",
        "persistence true",
    ):
        assert line in lines
    assert [line for line in lines if line.startswith("listener")] == [
        "listener 8883 127.0.0.1",
        "listener 8884 127.0.0.1",
    ]
    assert all(lines.count(line) == 2 for line in ("require_certificate true", "crlfile /place/revoked.crl"))
