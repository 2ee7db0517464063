"""A signed file fetched to a place: whole or not there; what came before a power cut is not fetched again.

The bytes gather in ``<place>.part``. Only the signed hash says whose they are: a
part that turns out to be the beginning of something else is begun anew, once.
"""

from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import DownloadLengthMismatchError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import TargetFile

from edge_agent.updates.disk import Disk
from edge_agent.updates.fetcher import Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """``target``, which is served at ``url``, on its way to ``place``."""

    target: TargetFile
    url: str
    place: Path
    fetcher: Fetcher
    disk: Disk

    def run(self) -> None:
        """Bring the bytes to ``place``, durably; those that are there already are kept.

        Raises what tuf's client raises: ``LengthOrHashMismatchError`` for other bytes,
        ``DownloadLengthMismatchError`` for too many, ``DownloadError`` for what may go better next time.
        """
        if self._verified(self.place):
            return
        try:
            if not self._resume():
                self.disk.create(self._part, b"")
                self._fill(0)
        except (RepositoryError, DownloadLengthMismatchError):
            self.disk.remove(self._part)
            raise
        self.disk.sync(self._part)
        self.disk.rename(self._part, self.place)
        self.disk.sync(self.place.parent)

    @property
    def missing(self) -> int:
        """How many bytes are still to be written before the place can be taken."""
        return max(0, self.target.length - self._begun)

    @property
    def _part(self) -> Path:
        return self.place.with_name(f"{self.place.name}.part")

    @property
    def _begun(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _resume(self) -> bool:
        """Whether what was begun could be made whole; False: begin anew."""
        begun = self._begun
        if not 0 < begun <= self.target.length:
            return False
        try:
            self._fill(begun)
        except (RepositoryError, DownloadLengthMismatchError):
            return False
        return True

    def _fill(self, begun: int) -> None:
        """Add what lacks after ``begun`` bytes, and verify the whole."""
        if begun < self.target.length:
            size, pieces = self.fetcher.open(self.url, begun)
            if size != begun:
                self.disk.create(self._part, b"")
            for piece in pieces:
                size += len(piece)
                if size > self.target.length:
                    raise DownloadLengthMismatchError(
                        f"{self.url}: expected {self.target.length} bytes, got more"
                    )
                self.disk.extend(self._part, piece)
        self._verify(self._part)

    def _verify(self, file: Path) -> None:
        with file.open("rb") as content:
            self.target.verify_length_and_hashes(content)

    def _verified(self, file: Path) -> bool:
        try:
            self._verify(file)
        except (OSError, LengthOrHashMismatchError):
            return False
        return True
