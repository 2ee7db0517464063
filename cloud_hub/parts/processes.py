"""Child processes that cannot outlive who started them.

On Linux the kernel signals a child when the *thread* that started it dies, so a supervisor killed with
SIGKILL leaves no server behind that a second start would trip over. Start parts from a thread that lives as
long as they should.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cloud_hub.parts.accounts import Account

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STAMP = re.compile(r"^\d{4}-\d\d-\d\d[T ][\d:.]+(?: UTC \[\d+\])?:? ")  # as PostgreSQL and mosquitto write it


def spawn(
    argv: Iterable[str | Path],
    *,
    log: Path,
    account: Account | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    farewell: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a session of its own (Ctrl-C is the supervisor's); its output goes to ``log``."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [os.fspath(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
            preexec_fn=_die_with_parent(farewell),  # noqa: PLW1509 - one system call, prepared before the fork
        )


def stop(process: subprocess.Popen[bytes], *steps: tuple[signal.Signals, float]) -> int:
    """Send each signal and wait its seconds; SIGKILL if nothing helped. The exit status."""
    for step, patience in steps:
        if process.poll() is None:
            process.send_signal(step)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.wait()


def last_words(log: Path, *, lines: int = 1) -> str:
    """The end of a log, where a process says why it ended; time stamps left out."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "it left no log"
    said = [STAMP.sub("", " ".join(line.split())) for line in text.splitlines() if line.strip()]
    return "; ".join(said[-lines:]) or "it said nothing"


def _die_with_parent(farewell: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, int(farewell))
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return prepare
