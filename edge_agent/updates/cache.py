"""The signed metadata a device has verified: what it trusted once, it knows after any power cut.

tuf's client keeps its cache by itself, unsynced. So it works on a scratch copy,
and what it verified goes from there to the disk layer, in the order it was verified:
roots, then timestamp, snapshot, targets. After a cut between any two of them the
cache is one that client could have left, and nothing in it is older than before:
it cannot be offered what is older than anything this device has acted on.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.updates.disk import Disk

ROOTS = "root_history"
ORDER = ("root.json", "timestamp.json", "snapshot.json", "targets.json")  # delegated roles follow


class Cache:
    """The cache in ``folder``; used by one thread."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.folder = folder
        self._disk = disk
        self.scratch = folder / "scratch"

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A copy of the cache for tuf's client to work on; gone afterwards, as after a power cut."""
        self._disk.ensure_folder(self.folder)
        shutil.rmtree(self.scratch, ignore_errors=True)
        try:
            (self.scratch / ROOTS).mkdir(parents=True)
            for file in _files(self.folder):
                shutil.copyfile(file, self.scratch / file.relative_to(self.folder))
            yield self.scratch
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def keep(self) -> None:
        """Make durable what the client has verified so far."""
        for file in _files(self.scratch):
            place, content = self.folder / file.relative_to(self.scratch), file.read_bytes()
            if not place.exists() or place.read_bytes() != content:
                self._disk.ensure_folder(place.parent)
                self._disk.write(place, content)


def _files(folder: Path) -> list[Path]:
    """The metadata in ``folder``, in the order in which the client verifies it."""
    roots = sorted((folder / ROOTS).glob("*.root.json"), key=lambda file: int(file.name.split(".")[0]))
    return roots + sorted(folder.glob("*.json"), key=_place)


def _place(file: Path) -> int:
    return ORDER.index(file.name) if file.name in ORDER else len(ORDER)
