"""Who acts at a terminal is whom the process belongs to, whatever its environment says."""

import os
import pwd
import subprocess
import sys

import pytest

from cloud_hub.hub import person, person_of

ME = pwd.getpwuid(os.getuid()).pw_name
OTHER = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.getuid()))


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_nobody_becomes_another_by_a_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv(name, "somebody-else")
    assert person() == ME


def test_a_process_started_under_another_name_is_not_believed() -> None:
    environment = {**os.environ, "LOGNAME": "second-pair-of-eyes", "USER": "second-pair-of-eyes"}
    environment.pop("SUDO_UID", None)
    program = "from cloud_hub.hub import person; print(person())"
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == ME


def test_behind_root_is_who_called_sudo_and_has_one_voice() -> None:
    behind = {"SUDO_UID": str(OTHER.pw_uid), "SUDO_USER": "anything"}
    assert person_of(0, behind) == person_of(OTHER.pw_uid, {}) == OTHER.pw_name


def test_who_is_not_root_cannot_name_another_behind_itself() -> None:
    assert person_of(OTHER.pw_uid, {"SUDO_UID": "0"}) == OTHER.pw_name


@pytest.mark.parametrize("told", ["", "-1", "ada", "²", "0"])
def test_root_without_a_user_behind_it_is_root(told: str) -> None:
    assert person_of(0, {"SUDO_UID": told}) == pwd.getpwuid(0).pw_name


@pytest.mark.parametrize("uid", [3_999_999_999, 1 << 80])
def test_a_user_without_a_name_is_told_by_number(uid: int) -> None:
    assert person_of(uid, {}) == person_of(0, {"SUDO_UID": str(uid)}) == f"uid {uid}"
