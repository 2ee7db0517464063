"""The server with TimescaleDB that tests start leaves nothing behind, however it ends."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "servers" / "timescale_apache.py"


@pytest.fixture
def started(timescale_server: str) -> tuple[subprocess.Popen[bytes], str]:
    """A second server beside the session's, which is asked for so that a machine that cannot have one skips."""
    if "andon-timescale-" not in timescale_server:
        pytest.skip("the server is named by ANDON_TIMESCALE_URL")
    process = subprocess.Popen([sys.executable, SCRIPT, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    url = json.loads(process.stdout.readline())["url"]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'andon'").fetchone() == (
            False,
        )
    return process, url


def folder_of(url: str) -> Path:
    return Path(url.partition("host=")[2]).parents[1]


def postgres_in(folder: Path) -> list[str]:
    """Processes that have the server's files open, in whatever namespace."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mounted = str(folder) in (entry / "mountinfo").read_text()
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue
        if mounted or (name == "postgres" and str(folder) in str((entry / "cwd").readlink())):
            found.append(name)
    return found


def await_none(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while postgres_in(folder):
        assert time.monotonic() < deadline, f"still there: {postgres_in(folder)}"
        time.sleep(0.1)


@pytest.mark.parametrize("how", ["end of input", signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
def test_however_it_ends_no_process_and_no_mount_is_left(started, how) -> None:
    process, url = started
    folder = folder_of(url)
    assert postgres_in(folder)
    if isinstance(how, signal.Signals):
        process.send_signal(how)
    else:
        process.stdin.close()
    process.wait(30)
    await_none(folder)
    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert folder.exists() == (how == signal.SIGKILL)
    if how == signal.SIGKILL:
        done = subprocess.run([sys.executable, SCRIPT, "run"], stdin=subprocess.DEVNULL, check=True)
        assert (done.returncode, folder.exists()) == (0, False)
    process.stdout.close()
    process.stdin.close()
