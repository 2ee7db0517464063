"""Servers of others that tests run beside Andon: the scripts in ``.ci/servers``, each a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / ".ci" / "servers"
IMPOSSIBLE = 3  # the exit status of one that this machine cannot have


@contextmanager
def running(name: str, told: object = None) -> Iterator[str]:
    """Where the server listens; it ends with our end of its standard input, however we end.

    ``told`` is the first line that it reads, as JSON.
    """
    with subprocess.Popen(
        [sys.executable, SCRIPTS / f"{name}.py", "run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        if told is not None:
            process.stdin.write(json.dumps(told).encode() + b"\n")
            process.stdin.flush()
        said = process.stdout.readline()
        if not said:
            why = process.stderr.read().decode().strip()
            if process.wait() == IMPOSSIBLE:
                pytest.skip(f"no {name} here: {why}")
            pytest.fail(f"{name} failed: {why}")
        yield str(json.loads(said)["url"])
        process.stdin.close()
