"""`andon hub run`: ready when it answers, up again after a crash, gone without a trace, safe to start twice."""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cloud_hub.parts.broker import find_mosquitto
from cloud_hub.parts.places import sweep

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
        assert line, (state_dir / "said").read_text()
        self.endpoints = json.loads(line)

    def children(self):
        """The hub's processes by what they are: postgres, mosquitto, ingest, work, web."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                status = (process / "status").read_text()
                words = (process / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if f"\nPPid:\t{self.process.pid}\n" in status and "\nState:\tZ" not in status:
                name = words[-2] if "andon" in words else Path(words[0]).name
                found[name] = int(process.name)
        return found

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


def answers(url):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_hub_runs_survives_its_crashes_and_leaves_nothing_behind(hub):
    assert set(hub.children()) == {"postgres", "mosquitto", "ingest", "work", "web"}
    assert answers(hub.endpoints["device_url"] + "/ca.crt")
    assert answers(hub.endpoints["console_url"] + "/")

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

    before = hub.children()
    os.kill(before["ingest"], signal.SIGKILL)
    os.kill(before["mosquitto"], signal.SIGKILL)
    os.kill(before["postgres"], signal.SIGKILL)
    killed = ("ingest", "mosquitto", "postgres")
    until(lambda: all(hub.children().get(name, before[name]) != before[name] for name in killed))
    until(lambda: answers(hub.endpoints["device_url"] + "/ca.crt"))
    assert _listens(hub.endpoints["broker_port"])  # on the same port

    after = hub.children()
    assert hub.stop() == 0
    assert not [process for process in after.values() if Path(f"/proc/{process}").exists()]
    assert not (hub.state_dir / "run" / "endpoints.json").exists()


def test_a_hub_killed_outright_takes_its_processes_along_and_starts_again(hub, state_root):
    processes = hub.children().values()
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
