"""What the doctor says of a Jetson's power mode, asked of a program that answers as nvpmodel does."""

import pytest

from firmware_configs import host
from firmware_configs.host import State


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """An nvpmodel that says this."""

    def make(said, status=0):
        program = tmp_path / "nvpmodel"
        program.write_text(f"#!/bin/sh\necho '{said}'\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return make


def power_mode():
    return [check for check in host.checks(quick=True) if check.name == "power mode"]


def test_a_jetson_names_its_power_mode(answers):
    answers("NV Power Mode: MODE_30W\n2")
    assert [(check.state, check.found) for check in power_mode()] == [(State.OK, "MODE_30W")]


def test_an_nvpmodel_that_does_not_tell_is_a_warning_with_what_to_do(answers):
    answers("NVPM ERROR: must be run as root", status=1)
    (check,) = power_mode()
    assert (check.state, check.found) == (State.WARNING, "NVPM ERROR: must be run as root")
    assert check.remedy


def test_what_is_no_jetson_has_no_power_mode(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert power_mode() == []
