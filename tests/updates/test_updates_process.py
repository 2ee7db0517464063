"""The real agent as a process, ended in two ways while a model is on probation, and asked about it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_updates_onnx import golden, network
from typer.testing import CliRunner
from update_parts import DEVICE, USE_CASE, Device, HastyDisk, enrolled

from edge_agent.cli import edge_app
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.updates.journal import Journal
from edge_agent.updates.updates import journal_file

REPOSITORY = Path(__file__).parents[2]
STARTS_WITHIN_S = 60


@pytest.fixture
def on_probation(hub, tmp_path):
    """A device whose second release, a real network, is on probation."""
    state_dir = tmp_path / "device"
    device = Device(
        state_dir=state_dir,
        identity=enrolled(hub, state_dir),
        make_runner=lambda bundle: OnnxRunner(bundle.onnx),
    )
    hub.fingerprint = device.identity.key_fingerprint
    device.boot()
    for version, offset in ((1, 90.0), (2, 91.0)):
        hub.publish(version, onnx=network(offset), golden=golden(offset))
    device.commit(hub.offer(1))
    assert device.offer(hub.offer(2)) == "probation"
    device.updates.stop()
    return device


@pytest.fixture
def config(on_probation):
    file = on_probation.state_dir / "agent.toml"
    file.write_text(
        f'device = "{DEVICE}"\nstate_dir = "."\nprofile = "orin-nano"\n[feed]\naddress = "unix:/nowhere"\n'
        '[updates]\nwindows = ["daily 02:00-03:00"]\nzone = "Europe/Paris"\n'
        '[[updates.critical]]\nsignal = "speed"\nabove = 100\n'
    )
    return file


@contextmanager
def agent(config):
    """A process that runs what was on probation; it has ended when this is left."""
    status = config.parent / "status.json"
    status.unlink(missing_ok=True)
    command = [sys.executable, "-m", "andon", "edge", "run", "--config", str(config)]
    with (config.parent / "agent.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=log, stderr=log, env=os.environ | {"ANDON_CLOCK": ""}
        )
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not status.exists():
            assert process.poll() is None, (config.parent / "agent.log").read_text()
            assert time.monotonic() < deadline, "the agent says nothing"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def known(device):
    return Journal(journal_file(device.state_dir), HastyDisk()).record(USE_CASE)


def edge(*arguments):
    result = CliRunner().invoke(edge_app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_kill_and_an_orderly_stop_are_told_apart_and_a_second_kill_ends_probation(on_probation, config):
    with agent(config) as process:
        shown = edge("status", "--config", str(config))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "update    motor-health runs motor-health/2; probation since 20" in shown
    assert "runs in   motor-health: onnxruntime-cpu fp32, " in shown
    assert "not tensorrt fp32: tensorrt cannot be imported" in shown
    assert "windows   daily 02:00-03:00 (Europe/Paris), open" in shown
    assert "critical  no speed of a machine of this device" in shown
    assert b'"event":"fell-back"' in journal_file(on_probation.state_dir).read_bytes(), "reported to the hub"
    record = known(on_probation)
    assert (record.state, record.parting, record.restarts) == ("probation", "orderly", 0)

    with agent(config) as process:
        process.kill()
        process.wait()
    assert known(on_probation).parting == ""
    on_probation.boot()
    assert (on_probation.state, known(on_probation).restarts) == ("probation", 1)
    runner = on_probation.updates.running()[USE_CASE].runner
    assert runner.run(np.ones((1, 2), np.float32))[0, 0] == 92.0
    on_probation.boot()
    assert (on_probation.state, on_probation.release) == ("rolled-back", "motor-health/1")

    shown = edge("updates", "--config", str(config))
    assert "motor-health runs motor-health/1; rolled-back since 20" in shown
    assert "failed: directive 2 to motor-health/2: 2 restarts while motor-health/2 was on probation" in shown
    (row,) = json.loads(edge("updates", "--config", str(config), "--json"))["use_cases"]
    assert [step["event"] for step in row["steps"][-5:]] == [
        "installed", "restarted", "restarted", "crashed", "restored",
    ]  # fmt: skip


def test_a_device_that_was_never_told_anything_says_so(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(f'device = "{DEVICE}"\nstate_dir = "state"\n[feed]\naddress = "unix:/nowhere"\n')
    assert edge("updates", "--config", str(config)) == "no directive has come to this device yet\n"
    assert json.loads(edge("updates", "--config", str(config), "--json"))["use_cases"] == []
