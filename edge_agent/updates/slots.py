"""Two slots per use case: one runs, the other is where the next release is written.

``current`` names the one that runs. It is replaced in one rename, so that at any
instant there is a whole model to start with. A slot is read only if its bytes
still have the checksum they had when they were put there.
"""

import hashlib
from pathlib import Path

from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import SlotError
from edge_agent.updates.record import Held

NAMES = ("a", "b")


class Slots:
    """The slots of one use case in ``folder``."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    @property
    def current(self) -> str | None:
        try:
            name = self._pointer.read_text().strip()
        except FileNotFoundError:
            return None
        return name if name in NAMES else None

    def spare(self, used: Held | None) -> str:
        """The slot to write into while ``used`` runs."""
        return "b" if used is not None and used.slot == "a" else "a"

    def bundle(self, slot: str) -> Path:
        return self._folder / slot / "bundle.zip"

    def holds(self, held: Held | None) -> bool:
        """Whether the slot's bytes are the ones that were put there."""
        try:
            return held is not None and self._sha256(held.slot) == held.sha256
        except OSError:
            return False

    def check(self, held: Held) -> Path:
        """The bundle of ``held``, or ``SlotError`` where its bytes changed."""
        try:
            found = self._sha256(held.slot)
        except OSError as error:
            raise SlotError(f"slot {held.slot} of {self._folder.name} cannot be read: {error}") from error
        if found != held.sha256:
            where = f"slot {held.slot} of {self._folder.name}"
            raise SlotError(f"{where}: expected SHA-256 {held.sha256[:12]}, got {found[:12]}")
        return self.bundle(held.slot)

    def put(self, held: Held, source: Path) -> None:
        """Write ``source`` into the slot ``held`` names; it must have the checksum of ``held``."""
        content = source.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != held.sha256:
            raise SlotError(f"{source.name}: expected SHA-256 {held.sha256[:12]}, got {found[:12]}")
        self._disk.ensure_folder(self._folder / held.slot)
        self._disk.write(self.bundle(held.slot), content)

    def switch(self, held: Held | None) -> None:
        """Make the slot of ``held`` the one that runs; None: nothing runs."""
        if held is None:
            if self._pointer.exists():
                self._disk.remove(self._pointer)
        elif self.current != held.slot:
            self._disk.ensure_folder(self._folder)
            self._disk.write(self._pointer, f"{held.slot}\n".encode())

    @property
    def _pointer(self) -> Path:
        return self._folder / "current"

    def _sha256(self, slot: str) -> str:
        with self.bundle(slot).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
