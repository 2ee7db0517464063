"""A client of one repository: tuf's, which alone decides what is genuine; its cache survives power cuts.

The agent and the command that the public conformance suite drives use this same
class; what the agent asks for beyond it is in ``trust``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import Updater

from edge_agent.updates.cache import Cache
from edge_agent.updates.disk import Disk
from edge_agent.updates.download import Download
from edge_agent.updates.fetcher import Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where it is, and what is known of it: anything that serves files, such as the hub or a CDN."""

    metadata_url: str
    targets_url: str
    root: bytes  # trusted from the beginning, and what follows from it
    cache: Cache


class Client:
    """One look at a repository: its metadata is asked for once, at the first need; made by :func:`look`."""

    def __init__(self, repository: Repository, updater: Updater, fetcher: Fetcher, disk: Disk) -> None:
        self._repository = repository
        self._updater = updater
        self._fetcher = fetcher
        self._disk = disk

    def refresh(self) -> None:
        """Bring the top-level metadata up to date; once, and before any target."""
        with self._kept():
            self._updater.refresh()

    def target(self, path: str) -> TargetFile | None:
        """What is signed about ``path``, if anything; durable before anybody acts on it."""
        with self._kept():
            return self._updater.get_targetinfo(path)

    def read(self, target: TargetFile) -> bytes:
        """The bytes of a small target."""
        content = self._fetcher.download_bytes(self._url(target), target.length)
        target.verify_length_and_hashes(content)
        return content

    def download(self, target: TargetFile, place: Path) -> Download:
        """What brings ``target`` to ``place`` when it is run."""
        return Download(
            target=target, url=self._url(target), place=place, fetcher=self._fetcher, disk=self._disk
        )

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        finally:  # what was verified before a refusal stays trusted, too
            self._repository.cache.keep()

    def _url(self, target: TargetFile) -> str:
        base = self._repository.targets_url.rstrip("/")
        root = Metadata[Root].from_file(str(self._repository.cache.folder / "root.json")).signed
        if not root.consistent_snapshot:
            return f"{base}/{target.path}"
        folder, slash, name = target.path.rpartition("/")
        return f"{base}/{folder}{slash}{next(iter(target.hashes.values()))}.{name}"


@contextmanager
def look(repository: Repository, fetcher: Fetcher, disk: Disk) -> Iterator[Client]:
    """A client for one look at ``repository``; errors are tuf's own."""
    with repository.cache.copied() as scratch:
        updater = Updater(str(scratch), repository.metadata_url, fetcher=fetcher, bootstrap=repository.root)
        yield Client(repository, updater, fetcher, disk)
