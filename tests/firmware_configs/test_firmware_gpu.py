"""What the doctor says of a GPU, asked of a program that answers, or not, as nvidia-smi does."""

import pytest

from firmware_configs import host
from firmware_configs.host import State


def gpu_said(tmp_path, monkeypatch, script):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (check,) = [check for check in host.checks(quick=True) if check.name == "GPU"]
    return check.state, check.found


@pytest.mark.parametrize(
    ("script", "state", "found"),
    [
        ("echo 'Orin, 8.7, [N/A], 540.4.0'", State.OK, "Orin, 8.7, [N/A], 540.4.0"),
        ("echo 'No devices were found'; exit 6", State.WARNING, "No devices were found"),
        ("exit 9", State.WARNING, "nvidia-smi ends with 9 and says nothing"),
        ("exit 0", State.WARNING, "nvidia-smi ends with 0 and says nothing"),
    ],
)
def test_a_gpu_is_what_its_driver_says_it_is(tmp_path, monkeypatch, script, state, found):
    assert gpu_said(tmp_path, monkeypatch, script) == (state, found)
