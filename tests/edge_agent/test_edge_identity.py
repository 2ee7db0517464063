"""What enrolment left is read and checked; one agent at a time holds it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent import status
from edge_agent.config import AgentConfig
from edge_agent.errors import AlreadyRunningError, IdentityError
from edge_agent.identity import Identity
from edge_agent.lock import held

ENROLMENT = {
    "device": "press-04",
    "site": "plant-1",
    "hub_url": "https://hub:8443",
    "broker_host": "hub",
    "broker_port": 8883,
    "broker_tls": True,
}


@pytest.fixture
def folder(tmp_path: Path, authority) -> Path:
    place = tmp_path / "identity"
    place.mkdir()
    files = authority.issue("press-04")
    shutil.copy(files.certificate, place / "device.crt")
    shutil.copy(files.key, place / "device.key")
    shutil.copy(files.ca, place / "ca.crt")
    (place / "enrolment.json").write_text(json.dumps(ENROLMENT))
    return place


def config(folder: Path, **settings: object) -> AgentConfig:
    given = {"device": "press-04", "state_dir": folder.parent, "feed": {"address": "unix:/x"}, **settings}
    return AgentConfig.parse(given, origin="test")


def test_an_identity_says_where_the_hub_is_and_whose_key_this_is(folder: Path) -> None:
    identity = Identity.load(config(folder))
    assert (identity.site, identity.broker_host, identity.broker_port) == ("plant-1", "hub", 8883)
    assert len(identity.key_fingerprint) == 64
    assert identity.tls().check_hostname


def test_the_configuration_wins_over_what_enrolment_told(folder: Path) -> None:
    identity = Identity.load(
        config(folder, broker={"host": "10.0.0.9", "port": 1884}, hub={"url": "https://b"})
    )
    assert (identity.broker_host, identity.broker_port, identity.hub_url) == ("10.0.0.9", 1884, "https://b")


def test_another_devices_identity_is_refused_with_both_names(folder: Path) -> None:
    with pytest.raises(IdentityError, match=r"identity of 'press-04', the configuration says 'press-05'"):
        Identity.load(config(folder, device="press-05"))


def test_another_devices_certificate_is_refused(folder: Path, authority) -> None:
    shutil.copy(authority.issue("press-05").certificate, folder / "device.crt")
    with pytest.raises(IdentityError, match="not the certificate of 'press-04'"):
        Identity.load(config(folder))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no identity in"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"device": "a"}', "lacks"),
    ],
)
def test_a_missing_or_broken_enrolment_names_the_remedy(
    folder: Path, content: str | None, sentence: str
) -> None:
    file = folder / "enrolment.json"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(IdentityError, match=sentence) as error:
        Identity.load(config(folder))
    assert "andon edge enroll" in str(error.value)


def test_a_broker_without_tls_is_for_loopback_alone(folder: Path) -> None:
    with pytest.raises(IdentityError, match="only be on loopback, got hub"):
        Identity.load(config(folder, broker={"tls": False}))
    assert not Identity.load(config(folder, broker={"tls": False, "host": "127.0.0.1"})).broker_tls


def test_a_second_agent_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    with held(tmp_path):
        hold = "from pathlib import Path; from edge_agent.lock import held\nwith held(Path(__import__('sys').argv[1])): pass"
        second = subprocess.run(
            [sys.executable, "-c", hold, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert second.returncode == 1
        assert AlreadyRunningError.__name__ in second.stderr
        assert f"as process {os.getpid()}" in second.stderr
    with held(tmp_path):
        assert (tmp_path / "agent.lock").read_text() == f"{os.getpid()}\n"


def test_a_status_tells_a_living_agent_from_a_dead_ones_file(tmp_path: Path) -> None:
    status.write(tmp_path, {"state": "running", "pid": os.getpid()})
    assert status.read(tmp_path)["alive"]
    status.write(tmp_path, {"state": "stopped", "pid": os.getpid()})
    assert not status.read(tmp_path)["alive"]
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    status.write(tmp_path, {"state": "running", "pid": int(gone.stdout)})
    assert not status.read(tmp_path)["alive"]
    (tmp_path / "status.json").unlink()
    with pytest.raises(status.StatusError, match="start one with `andon edge run`"):
        status.read(tmp_path)


def test_an_agent_that_cannot_write_its_pid_runs_all_the_same(tmp_path: Path) -> None:
    hold = (
        "import resource, sys\nfrom pathlib import Path\nfrom edge_agent.lock import held\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "with held(Path(sys.argv[1])): print('held')"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (found.stdout, found.returncode) == ("held\n", 0), found.stderr
