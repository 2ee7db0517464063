"""`andon hub run`: ready when it answers, up again after a crash, gone without a trace, safe to start twice."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud_hub.identity import certifying, devices
from cloud_hub.identity.ca import Authority
from cloud_hub.parts.broker import find_mosquitto
from cloud_hub.parts.places import sweep
from cloud_hub.store.database import Database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto on this machine"),
]


class Hub:
    """A hub in a process of its own, ready."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        andon = [sys.executable, "-m", "andon", "hub"]
        subprocess.run([*andon, "install", "--state-dir", state_dir], check=True, capture_output=True)
        command = [*andon, "run", "--config", state_dir / "hub.toml", "--ephemeral", "--json"]
        self.log = (state_dir / "said").open("wb")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            pytest.fail((state_dir / "said").read_text())
        self.endpoints = json.loads(line)

    def status(self):
        command = [
            sys.executable,
            "-m",
            "andon",
            "hub",
            "status",
            "--config",
            self.state_dir / "hub.toml",
            "--json",
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def processes(self):
        return self.status()["processes"]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.stdout.close()
        self.log.close()
        return self.process.wait(60)


@pytest.fixture
def hub(state_root):
    running = Hub(state_root / "hub")
    yield running
    if running.process.poll() is None:
        running.stop()
    shutil.rmtree(state_root / "hub")
    sweep()


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def _sign_in_link(hub):
    """As the demonstration opens its console."""
    command = [sys.executable, "-m", "andon", "hub", "person", "add", "demo", "--role", "admin", "--me"]
    config = ["--config", hub.state_dir / "hub.toml"]
    said = subprocess.check_output([*command, "--sign-in", "--json", *config])
    return json.loads(said)["link"]


def answers(url):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_hub_runs_survives_its_crashes_and_leaves_nothing_behind(hub):
    assert set(hub.processes()) == {"postgres", "broker", "ingest", "work", "web"}
    assert all(_runs(process) for process in hub.processes().values())
    assert answers(hub.endpoints["device_url"] + "/ca.crt")
    assert answers(hub.status()["console_url"] + "/login")
    assert answers(_sign_in_link(hub))

    second = subprocess.run(
        [sys.executable, "-m", "andon", "hub", "run", "--config", hub.state_dir / "hub.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == (
        f"error: a hub runs in {hub.state_dir} already, with pid {hub.process.pid}:"
        " stop it, or choose another state_dir\n"
    )

    before = hub.processes()
    killed = ("ingest", "broker", "postgres")
    for name in killed:
        os.kill(before[name], signal.SIGKILL)
    until(lambda: all(hub.status()["restarts"][name] >= 1 for name in killed))
    until(lambda: answers(hub.endpoints["device_url"] + "/ca.crt"))
    until(lambda: _listens(hub.endpoints["broker_port"]))  # on the same port

    after = hub.processes().values()
    assert hub.stop() == 0
    assert not any(_runs(process) for process in after)
    assert not (hub.state_dir / "run" / "endpoints.json").exists()


def test_a_device_that_is_retired_at_a_running_hub_is_cut_off_within_five_seconds(hub):
    """The whole way: the command, the list, the supervisor, the broker, the session."""
    ended = threading.Event()
    with Database(hub.endpoints["database_url"]) as database:
        client = connected_device(hub, database)
        client.on_disconnect = lambda *_: ended.set()
        command = [
            sys.executable,
            "-m",
            "andon",
            "device",
            "retire",
            "press-04",
            "--reason",
            "stolen",
            "--json",
        ]
        config = ["--config", hub.state_dir / "hub.toml"]
        done = subprocess.run([*command, *config], check=True, capture_output=True, text=True)
        said = json.loads(done.stdout)
        assert said["certificates_revoked"] == 1
        assert said["broker"] == "has ended its session and refuses its certificate"
        assert ended.is_set()
        (row,) = database.rows("SELECT cut - revoked AS took FROM certificate")
        assert row["took"] < timedelta(seconds=5)
    client.loop_stop()
    assert hub.status()["restarts"]["ingest"] == 0


def connected_device(hub, database):
    """A device with a certificate of the hub, its session open."""
    authority, now = Authority.of(hub.state_dir), datetime.now(UTC)
    token = devices.add(
        database, authority, name="press-04", site="plant-1", profile="generic", zone=None, now=now
    )
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    pem = csr.public_bytes(serialization.Encoding.PEM)
    certified = certifying.enrol(database, authority, token=token, csr=pem, now=now)
    file = hub.state_dir / "press-04.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certified.certificate
    )
    context = ssl.create_default_context(cafile=authority.certificate_file)
    context.load_cert_chain(file)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="press-04", protocol=mqtt.MQTTv5)
    client.tls_set_context(context)
    client.connect(hub.endpoints["broker_host"], hub.endpoints["broker_port"])
    client.loop_start()
    until(client.is_connected)
    return client


def test_a_hub_killed_outright_takes_its_processes_along_and_starts_again(hub, state_root):
    processes = hub.processes().values()
    hub.stop(signal.SIGKILL)
    again = Hub(state_root / "hub")
    assert again.endpoints["broker_port"] == hub.endpoints["broker_port"]
    assert again.endpoints["device_url"] == hub.endpoints["device_url"]
    until(lambda: not any(_runs(process) for process in processes))
    assert again.stop(signal.SIGINT) == 0


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _runs(process):
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
