"""Where datasets lie: a folder, or any URL that fsspec knows (``s3://``, ``gs://``, ``memory://``).

A file is written under another name and then moved; a folder that cannot do that in
one step shows nothing wrong all the same, for a dataset is real only once its manifest
is there, and that is written last.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import fsspec

from cloud_hub.errors import UnreachableError
from cloud_hub.files import move

FOLDER = "datasets"  # of the artifacts, where no URL is configured


def place(artifacts: Path, datasets_url: str, name: str) -> str:
    """Where a file called ``name`` belongs."""
    return f"{datasets_url.rstrip('/')}/{name}" if datasets_url else str(artifacts / FOLDER / name)


def to_stored(location: str, artifacts: Path) -> str:
    """As the database keeps it: below the artifacts by its relative path, so that these can move."""
    return location if "://" in location else Path(location).relative_to(artifacts).as_posix()


def from_stored(path: str, artifacts: Path) -> str:
    return path if "://" in path else str(artifacts / path)


def write(location: str, fill: Callable[[IO[bytes]], None]) -> None:
    """Write what ``fill`` writes, whole or not at all; UnreachableError where the place is away."""
    with _reaching(location) as (files, path):
        folder, _, name = path.rpartition("/")
        files.makedirs(folder, exist_ok=True)
        partial = f"{folder}/.{name}.{os.getpid()}.new"
        with files.open(partial, "wb") as file:
            fill(file)
            if _is_local(files):
                file.flush()
                os.fsync(file.fileno())
        if _is_local(files):
            move(Path(partial), Path(path))
        else:
            files.mv(partial, path)


@contextmanager
def opened(location: str) -> Iterator[IO[bytes]]:
    """The file at ``location``, to read; FileNotFoundError where there is none."""
    with _reaching(location) as (files, path):
        file = files.open(path, "rb")
    with file:
        yield file


def exists(location: str) -> bool:
    with _reaching(location) as (files, path):
        return bool(files.exists(path))


def _is_local(files: Any) -> bool:
    return "file" in files.protocol


@contextmanager
def _reaching(location: str) -> Iterator[tuple[Any, str]]:
    """A file system and the path in it; whatever its client library raises becomes one sentence."""
    try:
        files, path = fsspec.core.url_to_fs(location)
        yield files, path
    except FileNotFoundError:
        raise
    except Exception as error:  # every file system has errors of its own
        why = " ".join(str(error).split()) or type(error).__name__
        raise UnreachableError(
            f"{location} cannot be reached ({why}): check datasets_url, its credentials and its package"
        ) from error
