"""Host files made from templates: they are complete, and systemd and mosquitto take them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_configs.errors import TemplateError
from firmware_configs.templates import (
    BrokerBounds,
    BrokerFiles,
    devices_acl,
    edge_unit,
    hub_acl,
    hub_unit,
    mosquitto_conf,
)

BYTE_BOUNDS = ("max_queued_bytes", "max_inflight_bytes", "max_packet_size", "memory_limit")
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


def test_an_agent_outlives_a_builder_without_memory_and_reaches_a_gpu_through_groups():
    lines = unit("edge", groups=("video", "render")).splitlines()
    assert "OOMPolicy=continue" in lines
    assert "SupplementaryGroups=video render" in lines
    assert "SupplementaryGroups" not in unit("edge"), "a group that is not there would keep it from starting"


@pytest.mark.parametrize("path", ['/x"\nExecStartPre=/bin/sh', "/a\nb"])
def test_a_path_cannot_smuggle_a_directive_into_a_unit(path):
    with pytest.raises(TemplateError, match="expected a plain path"):
        unit("edge", config=Path(path))


def configuration(**changed):
    place = Path("/place")
    names = {"ca": "ca.crt", "certificate": "server.crt", "key": "server.key", "acl": "acl", "hub_acl": "hub"}
    files = BrokerFiles(
        **{name: place / file for name, file in names.items()}, persistence=place / "sessions", **changed
    )
    return mosquitto_conf(
        files, listen="127.0.0.1", port=8883, hub_port=8884, bounds=BrokerBounds()
    ).splitlines()


def test_the_broker_asks_for_certificates_and_bounds_its_queues_in_bytes():
    lines = configuration(revoked=Path("/place/revoked.crl"))
    for line in (
        "use_username_as_clientid true",
        "max_queued_messages 0",
        "max_inflight_messages 1000",
        "persistence true",
    ):
        assert line in lines
    assert all(any(line.startswith(f"{name} ") for line in lines) for name in BYTE_BOUNDS)
    assert [line for line in lines if line.startswith("listener")] == [
        "listener 8883 127.0.0.1",
        "listener 8884 127.0.0.1",
    ]
    for line in (
        "require_certificate true",
        "crlfile /place/revoked.crl",
        "tls_version tlsv1.2",
        "allow_anonymous false",
        "use_identity_as_username true",
    ):
        assert lines.count(line) == 2, "on each listener"


def test_where_the_hub_has_a_password_its_certificates_name_alone_does_not_open_its_listener():
    lines = configuration(passwords=Path("/place/passwords"))
    assert lines.count("use_identity_as_username true") == 1
    assert lines.index("password_file /place/passwords") > lines.index("listener 8884 127.0.0.1")


def test_devices_have_no_rule_for_anything_but_their_own_name():
    rules = [line for line in devices_acl().splitlines() if line and not line.startswith("#")]
    own = rules[: rules.index("user hub")]
    assert all(rule.split()[2].startswith("andon/v1/%u/") for rule in own)
    assert "readwrite" not in devices_acl()
    assert "#" not in "".join(rules)
    assert all("pattern" not in rule for rule in hub_acl().splitlines() if not rule.startswith("#"))
