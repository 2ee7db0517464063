"""Small files that must be there whole or not at all: keys, certificates, signed metadata.

Each is written beside its place, synced, renamed over it, and the folder is
synced too: after a power cut there is the old file or the new one.
"""

import fcntl
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PRIVATE = 0o600
PUBLIC = 0o644


def private_folder(folder: Path) -> Path:
    """``folder``, made if needed, that its owner alone may enter."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``; nobody but the owner can read it at any moment."""
    _replace(path, io.BytesIO(content), PRIVATE)


def write_public(path: Path, content: bytes) -> None:
    _replace(path, io.BytesIO(content), PUBLIC)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path`` against every other process and thread; a dead holder holds nothing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def copy_public(source: Path, path: Path) -> None:
    """Replace ``path`` by the contents of ``source``, however large."""
    with source.open("rb") as file:
        _replace(path, file, PUBLIC)


def move(source: Path, path: Path) -> None:
    """Let ``source`` take the place of ``path`` in the same folder."""
    _rename(source, path)


def _replace(path: Path, content: IO[bytes], mode: int) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(descriptor)
    _rename(partial, path)


def _rename(source: Path, path: Path) -> None:
    source.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
