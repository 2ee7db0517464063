"""What takes long is made once and kept in a cache: whole or not at all, and by one process at a time."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

IMPOSSIBLE = 3


class CannotError(Exception):
    """This machine cannot have the server; the text says why."""


def kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache, made by ``make`` where it is missing."""
    place = cache() / name
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            fresh = place.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            make(fresh)
            fresh.rename(place)
    return place


def call(command: Sequence[str | Path], name: str, *, seconds: float, told: str, **how: Any) -> None:
    """Run ``command``; ``CannotError`` where it fails, with what it said in lines that have ``told``.

    ``told`` is a pattern, ``name`` is what the error calls the command, ``how`` goes to ``subprocess.run``.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **how,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotError(f"{name} did not end within {seconds:g} s") from error
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if re.search(told, line)]
        why = " ".join(said[-3:]) or done.stderr.strip()[-200:] or "no reason given"
        raise CannotError(f"{name} failed: {why}")


def cache() -> Path:
    """``andon-ci`` below ``$XDG_CACHE_HOME``, else below /var/cache for root and ~/.cache for others."""
    own = Path("/var/cache") if os.geteuid() == 0 else Path.home() / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or own).absolute() / "andon-ci"


def main(build: Callable[[], Path], run: Callable[[], None]) -> None:
    """``build`` or ``run``, as the command line says; exit status 3 and a sentence for ``CannotError``."""
    signal.signal(signal.SIGTERM, _end)
    try:
        if sys.argv[1:] == ["build"]:
            print(build())
        elif sys.argv[1:] == ["run"]:
            run()
        else:
            sys.exit(f"usage: {sys.argv[0]} build|run")
    except CannotError as error:
        print(error, file=sys.stderr)
        sys.exit(IMPOSSIBLE)
    except KeyboardInterrupt:
        sys.exit(130)


def _end(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
