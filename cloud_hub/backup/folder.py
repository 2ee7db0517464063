"""The folder that a backup is: nothing bears its name before all is on disk, and every byte can be checked.

Written beside its place under another name, each file hashed on its way and
synced, the manifest last, then renamed. One that was cut short is removed, by
itself or by the next backup to the same place.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cloud_hub.errors import BackupError
from wire.errors import defect

MANIFEST = "manifest.json"
FORMAT = 1
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Found:
    """A backup whose manifest could be read; ``check`` says whether the files are what it says."""

    folder: Path
    fields: Mapping[str, Any]
    files: Mapping[str, Entry]

    def place(self, name: str) -> Path:
        return self.folder / name

    def below(self, prefix: str) -> list[str]:
        return [name for name in self.files if name.startswith(f"{prefix}/")]

    def check(self) -> None:
        """``BackupError`` for the first file that is missing, strange or changed."""
        for name, entry in self.files.items():
            path = self.place(name)
            if path.is_symlink() or not path.is_file():
                raise BackupError(f"{path} is missing: this backup is not whole")
            found = _hashed(path)
            if found != entry:
                raise BackupError(
                    f"{path} was changed or cut short: expected {entry.bytes} bytes with SHA-256 "
                    f"{entry.sha256[:12]}, got {found.bytes} with {found.sha256[:12]}"
                )


@dataclass(slots=True)
class Draft:
    """A backup being written into ``folder``."""

    folder: Path
    files: dict[str, Entry] = field(default_factory=dict)

    def copy(self, name: str, source: Path) -> None:
        """Take over a file of the hub."""
        with source.open("rb") as file, self._open(name) as target:
            shutil.copyfileobj(file, target, BLOCK)
        self.adopt(name)

    def write(self, name: str, content: bytes) -> None:
        with self._open(name) as target:
            target.write(content)
        self.adopt(name)

    def adopt(self, name: str) -> None:
        """Take in a file that lies in the folder already."""
        path = self.folder / name
        path.chmod(0o600)
        _sync(path)
        self.files[name] = _hashed(path)

    def _open(self, name: str) -> Any:
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def finish(self, fields: Mapping[str, Any]) -> None:
        entries = {name: asdict(entry) for name, entry in sorted(self.files.items())}
        text = json.dumps({"format": FORMAT, **fields, "files": entries}, indent=1)
        self.write(MANIFEST, text.encode() + b"\n")
        for folder, _, _ in os.walk(self.folder):
            _sync(Path(folder))


@contextmanager
def drafted(destination: Path) -> Iterator[Draft]:
    """A draft that becomes ``destination`` when the block ends well, and is removed when it does not."""
    destination = destination.absolute()
    if destination.exists() or destination.is_symlink():
        inside = destination.is_dir() and not (destination / MANIFEST).exists()
        raise BackupError(
            f"{destination} is there already, and a backup overwrites nothing: name a new folder, such as "
            f"{destination}{'/andon' if inside else ''}-$(date -u +%Y%m%dT%H%M%SZ)"
        )
    if not destination.parent.is_dir():
        raise BackupError(f"no folder {destination.parent}: make it (is the backup disk mounted?)")
    partial = destination.with_name(f".{destination.name}.partial")
    partial.mkdir(mode=0o700, exist_ok=True)
    with _held(partial):
        try:
            _empty(partial)
            yield Draft(partial)
            partial.rename(destination)
            _sync(destination.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def opened(folder: Path) -> Found:
    """The backup in ``folder``; ``BackupError`` where there is none that this version can read."""
    file = folder / MANIFEST
    try:
        fields = json.loads(file.read_text())
        version = fields["format"]
        if version != FORMAT:
            raise BackupError(f"{file}: expected format {FORMAT}, got {version}: a newer andon made it")
        files = {_checked(name): Entry(**entry) for name, entry in fields["files"].items()}
        _need(fields)
    except FileNotFoundError as error:
        raise BackupError(f"no backup in {folder}: expected {MANIFEST} there") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{file} is no backup's manifest: {defect(error)}") from error
    return Found(folder, fields, files)


def _need(fields: Mapping[str, Any]) -> None:
    database = fields["database"]
    for name, kind in (("server", int), ("dumped_by", int), ("migrations", list)):
        if not isinstance(database[name], kind):
            raise ValueError(f"database.{name}: expected {kind.__name__}, got {database[name]!r}")


def _checked(name: str) -> str:
    """A name that leads nowhere but into the backup, and on restore into the state directory."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or not path.parts:
        raise ValueError(f"expected a name inside the backup, got {name!r}")
    return name


def _hashed(path: Path) -> Entry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return Entry(bytes=file.tell(), sha256=digest.hexdigest())


def _empty(folder: Path) -> None:
    """What an earlier backup to this place left when it was cut short."""
    for item in folder.iterdir():
        shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise BackupError(f"another backup is being written to {folder} just now") from error
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
