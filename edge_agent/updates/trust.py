"""What may be installed: The Update Framework's client, and nothing else, decides it.

The trust starts with the root that enrolment pinned. What the signed metadata
does not vouch for is refused; what may be a passing trouble is to be tried again.
"""

import hashlib
import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api.exceptions import (
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import TargetFile

from edge_agent.updates.cache import Cache
from edge_agent.updates.client import Client, Repository, look
from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import RetryError, UntrustedError
from edge_agent.updates.fetcher import PATIENT, Fetcher, Patience
from wire.bundle import LARGEST
from wire.directive import Directors
from wire.engine import LARGEST as LARGEST_ENGINE
from wire.errors import MessageError

DIRECTORS = "directors.json"
BUNDLE_PATH = re.compile(r"bundles(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,3}")
SHA256 = re.compile(r"[0-9a-f]{64}")
FRESH_S = 30.0  # directives in a row do not ask the hub again and again
SPARE_BYTES = 16 << 20  # left free on the disk beside the bundle and its copy in a slot


class Trust:
    """Keeps what it trusts in ``folder``; the repository is at ``url``. Used by one thread."""

    def __init__(
        self,
        folder: Path,
        *,
        url: str,
        root: Path,
        tls: Callable[[], ssl.SSLContext],
        disk: Disk,
        patience: Patience = PATIENT,
    ) -> None:
        self._folder = folder
        self._url = url.rstrip("/")
        self._root = root
        self._tls = tls
        self._disk = disk
        self._patience = patience
        self._known_file = folder / "known-directors.json"
        self._known: Directors | None = None
        self._asked = 0.0

    def directors(self, max_age_s: float = FRESH_S) -> Directors:
        """Who may direct, as signed at most ``max_age_s`` ago; the last answer where nobody can be asked."""
        if self._known is not None and time.monotonic() - self._asked < max_age_s:
            return self._known
        try:
            with self._client() as client:
                content = client.read(self._target(client, DIRECTORS))
            self._known = Directors.from_json(content)
        except MessageError as error:
            raise UntrustedError(f"{DIRECTORS} is signed, but {error}") from error
        except RetryError:
            if self.known_directors is None:
                raise
        else:
            self._remember(content)
            self._asked = time.monotonic()
        assert self._known is not None
        return self._known

    @property
    def known_directors(self) -> Directors | None:
        """The last verified list, without asking anybody; None where there is none that can be read."""
        if self._known is None:
            try:
                self._known = Directors.from_json(self._known_file.read_bytes())
            except (OSError, MessageError):
                return None
        return self._known

    def _remember(self, content: bytes) -> None:
        """What nobody could recall after a restart is not acted on."""
        try:
            self._disk.write(self._known_file, content)
        except OSError as error:
            raise RetryError(f"{self._known_file} cannot be written: {error}") from error

    def download(
        self, path: str, sha256: str, place: Path, aborted: Callable[[], bool] = lambda: False
    ) -> None:
        """Fetch the bundle the directive names into ``place``: bytes that targets and directive agree on."""
        if not BUNDLE_PATH.fullmatch(path):
            raise UntrustedError(f"expected a bundle path like bundles/motor-health/3.zip, got {path!r}")
        self._bring(path, sha256, place, aborted, copies=2, largest=LARGEST)

    def engines(self, paths: Iterable[str], aborted: Callable[[], bool] = lambda: False) -> dict[str, str]:
        """Those of ``paths`` that are signed, each with its SHA-256. That none is, is no error.

        Only the role of an engine's own target can sign it: no other one may list such a path.
        """
        with self._client(aborted) as client:
            found = {path: client.target(path) for path in paths}
        signed = {path: str(target.hashes.get("sha256")) for path, target in found.items() if target}
        for path, sha256 in signed.items():
            if not SHA256.fullmatch(sha256):  # it becomes part of a file's name
                raise UntrustedError(f"{path}: expected a signed SHA-256, got {sha256[:80]!r}")
        return signed

    def engine(
        self, path: str, sha256: str, place: Path, aborted: Callable[[], bool] = lambda: False
    ) -> None:
        """Fetch one of :meth:`engines` into ``place``."""
        self._bring(path, sha256, place, aborted, copies=1, largest=LARGEST_ENGINE)

    def _bring(
        self, path: str, sha256: str, place: Path, aborted: Callable[[], bool], *, copies: int, largest: int
    ) -> None:
        """Fetch ``path``; it will lie on the disk ``copies`` times."""
        with self._client(aborted) as client:
            target = self._target(client, path)
            signed = target.hashes.get("sha256")
            if signed != sha256:
                said = str(signed)[:12]
                raise UntrustedError(f"{path}: directive says SHA-256 {sha256[:12]}, signed metadata {said}")
            if target.length > largest:
                raise UntrustedError(f"{path}: expected at most {largest} bytes, got {target.length}")
            download = client.download(target, place)
            self._check_room(path, download.missing + (copies - 1) * target.length)
            download.run()

    def _target(self, client: Client, path: str) -> TargetFile:
        target = client.target(path)
        if target is None:
            raise UntrustedError(f"{path} is not among the signed targets")
        return target

    def _check_room(self, path: str, needed: int) -> None:
        """Before the first byte of ``needed`` is written."""
        needed += SPARE_BYTES
        free = self._disk.free(self._folder)
        if free < needed:
            raise RetryError(f"{path} needs {needed} bytes of disk, {free} are free")

    @contextmanager
    def _client(self, aborted: Callable[[], bool] = lambda: False) -> Iterator[Client]:
        """A client whose errors are told apart: not to be trusted, or to be tried again."""
        root = self._root.read_bytes()
        repository = Repository(
            metadata_url=f"{self._url}/metadata/",
            targets_url=f"{self._url}/targets/",
            root=root,
            cache=Cache(self._folder / hashlib.sha256(root).hexdigest()[:16], self._disk),
        )
        fetcher = Fetcher(self._tls(), aborted, self._patience)
        try:
            with look(repository, fetcher, self._disk) as client:
                yield client
        except ExpiredMetadataError as error:
            raise RetryError(f"the signed metadata has expired, or this clock is wrong: {error}") from error
        except (RepositoryError, DownloadLengthMismatchError) as error:
            raise UntrustedError(f"{type(error).__name__}: {error}") from error
        except (DownloadError, OSError) as error:
            raise RetryError(str(error)) from error
        finally:
            fetcher.close()
