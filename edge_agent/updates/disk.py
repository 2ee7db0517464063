"""The one layer through which an update touches the disk.

Every primitive is a method of its own, so that a test can lose power at each,
tear a write in two or drop what was not synced. What is composed of them is
durable when it returns: file and folder are synced.
"""

import os
import shutil
from pathlib import Path

MODE = 0o600


class Disk:
    """The real disk; subclasses override the primitives (``create`` to ``make_folder``)."""

    def create(self, path: Path, content: bytes) -> None:
        """Write a whole new file, not yet durable."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def extend(self, path: Path, content: bytes) -> None:
        """Append to a file, not yet durable."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
        with os.fdopen(descriptor, "ab") as file:
            file.write(content)

    def sync(self, path: Path) -> None:
        """Make the contents of a file, or the names in a folder, durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700)

    def free(self, path: Path) -> int:
        """Bytes that may still be written where ``path`` is."""
        return shutil.disk_usage(path).free

    def write(self, path: Path, content: bytes) -> None:
        """Replace ``path`` by ``content``: afterwards, and after any crash, it is the old or the new."""
        partial = path.with_name(f"{path.name}.new")
        self.create(partial, content)
        self.sync(partial)
        self.rename(partial, path)
        self.sync(path.parent)

    def append(self, path: Path, content: bytes) -> None:
        """Add to an existing ``path``; a crash may leave the beginning of ``content``."""
        self.extend(path, content)
        self.sync(path)

    def remove(self, path: Path) -> None:
        self.unlink(path)
        self.sync(path.parent)

    def ensure_folder(self, path: Path) -> None:
        """Make ``path`` and what is missing above it."""
        if not path.is_dir():
            self.ensure_folder(path.parent)
            self.make_folder(path)
            self.sync(path.parent)
