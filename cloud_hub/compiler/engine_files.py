"""Engines as files of a host: kept once, never changed, and signed out of none but the hub's own folder.

Two builds of one network differ in their bytes, and what was signed keeps its bytes for ever. So the first
that is kept stays, whoever else compiles the same meanwhile; a kill leaves the whole file or none.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_hub.errors import ConflictError
from cloud_hub.files import copy_public, locked, move
from wire.bundle import file_sha256
from wire.engine import LARGEST, Engine, read_engine, write_engine
from wire.errors import EngineError

LOCK = ".lock"
SHA256 = re.compile(r"[0-9a-f]{64}")


def kept(path: Path) -> Engine | None:
    """The engine at ``path``; None where none is. ConflictError where something else is."""
    if not path.exists():
        return None
    try:
        return read_engine(path)
    except EngineError as error:
        raise ConflictError(f"{error}: compile it anew") from error


def keep(path: Path, engine: Engine) -> None:
    """Have ``engine`` at ``path``, where there is none yet."""
    with _alone(path):
        if not path.exists():
            partial = path.with_name(f".{path.name}.new")
            write_engine(partial, engine)
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            move(partial, path)


def restore(path: Path, signed: Path | None) -> None:
    """Have what was ``signed`` at ``path``, if the file there has gone: no other may take its place."""
    if signed is not None:
        with _alone(path):
            if not path.exists():
                copy_public(signed, path)


@contextmanager
def brought(file: Path, sha256: str, folder: Path) -> Iterator[tuple[Path, Engine]]:
    """A copy of ``file`` in ``folder`` and the engine in it; ConflictError where its hash is another.

    What is looked into and what is signed are the same bytes then, whoever writes to ``file`` meanwhile.
    """
    told = sha256.strip().lower()
    if not SHA256.fullmatch(told):
        raise ConflictError(
            f"expected the 64 digits of a SHA-256 that the builder host told, got {sha256!r:.99}"
        )
    if (size := file.stat().st_size) > LARGEST:
        raise ConflictError(f"{file}: expected at most {LARGEST} bytes, got {size}")
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f".brought.{os.getpid()}"
    try:
        copy_public(file, copy)
        if (found := file_sha256(copy)) != told:
            raise ConflictError(f"{file}: expected SHA-256 {told}, got {found}: bring it again")
        yield copy, read_engine(copy)
    except EngineError as error:
        said = str(error).replace(copy.name, file.name)
        raise ConflictError(f"{said}: bring what `andon model compile --bundle` wrote") from error
    finally:
        copy.unlink(missing_ok=True)


def keep_copy(copy: Path, path: Path) -> None:
    """Have the bytes of ``copy`` at ``path``; ConflictError where others are kept there."""
    with _alone(path):
        if not path.exists():
            move(copy, path)
            return
    own, there = file_sha256(copy), file_sha256(path)
    if own != there:
        raise ConflictError(
            f"an engine of this name is kept here already, with SHA-256 {there}, got {own}: sign that one"
            f" (`andon model publish-engine {path} --sha256 {there}`); or remove it, if it was never signed"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent / LOCK):
        yield
