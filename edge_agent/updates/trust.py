"""What may be installed: The Update Framework's client, and nothing else, decides it.

The trust starts with the root that enrolment pinned. What the signed metadata
does not vouch for is refused; what may be a passing trouble is to be tried again.
The metadata cache is the client's own: it checks whatever it finds there.
"""

import hashlib
import re
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tuf.api.exceptions import (
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater

from edge_agent.updates.disk import Disk
from edge_agent.updates.errors import RetryError, UntrustedError
from edge_agent.updates.fetcher import HubFetcher
from wire.bundle import LARGEST, file_sha256
from wire.directive import Directors
from wire.errors import MessageError

DIRECTORS = "directors.json"
BUNDLE_PATH = re.compile(r"bundles(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,3}")
FRESH_S = 30.0  # directives in a row do not ask the hub again and again
SPARE_BYTES = 16 << 20  # left free on the disk beside the bundle and its copy in a slot


class Trust:
    """The client's cache in ``folder``, for the hub at ``url``; used by one thread."""

    def __init__(
        self, folder: Path, *, url: str, root: Path, tls: Callable[[], ssl.SSLContext], disk: Disk
    ) -> None:
        self._folder = folder
        self._url = url.rstrip("/")
        self._root = root
        self._tls = tls
        self._disk = disk
        self._known: Directors | None = None
        self._asked = 0.0

    def directors(self, max_age_s: float = FRESH_S) -> Directors:
        """Who may direct, as signed at most ``max_age_s`` ago; the last answer where the hub is away."""
        if self._known is not None and time.monotonic() - self._asked < max_age_s:
            return self._known
        try:
            with self._client() as client:
                target = self._target(client, DIRECTORS)
                content = Path(client.download_target(target)).read_bytes()
            self._known = Directors.from_json(content)
        except MessageError as error:
            raise UntrustedError(f"{DIRECTORS} is signed, but {error}") from error
        except RetryError:
            if self.known_directors is None:
                raise
        else:
            self._asked = time.monotonic()
            self._disk.write(self._folder / "known-directors.json", content)
        assert self._known is not None
        return self._known

    @property
    def known_directors(self) -> Directors | None:
        """The last verified list, without asking anybody."""
        file = self._folder / "known-directors.json"
        if self._known is None and file.exists():
            self._known = Directors.from_json(file.read_bytes())
        return self._known

    def download(
        self, path: str, sha256: str, place: Path, aborted: Callable[[], bool] = lambda: False
    ) -> None:
        """Fetch the bundle the directive names into ``place``: bytes that targets and directive agree on."""
        if not BUNDLE_PATH.fullmatch(path):
            raise UntrustedError(f"expected a bundle path like bundles/motor-health/3.zip, got {path!r}")
        with self._client(aborted) as client:
            target = self._target(client, path)
            signed = target.hashes.get("sha256")
            if signed != sha256:
                said = str(signed)[:12]
                raise UntrustedError(f"{path}: directive says SHA-256 {sha256[:12]}, signed metadata {said}")
            self._check_size(path, target.length)
            client.download_target(target, filepath=str(place))
        if file_sha256(place) != sha256:
            raise UntrustedError(f"{path}: expected SHA-256 {sha256[:12]}, got {file_sha256(place)[:12]}")

    def _target(self, client: Updater, path: str) -> TargetFile:
        target = client.get_targetinfo(path)
        if target is None:
            raise UntrustedError(f"{path} is not among the signed targets")
        return target

    def _check_size(self, path: str, length: int) -> None:
        if length > LARGEST:
            raise UntrustedError(f"{path}: expected at most {LARGEST} bytes, got {length}")
        free = shutil.disk_usage(self._folder).free
        if free < 2 * length + SPARE_BYTES:
            raise RetryError(f"{path} needs {2 * length + SPARE_BYTES} bytes of disk, {free} are free")

    @contextmanager
    def _client(self, aborted: Callable[[], bool] = lambda: False) -> Iterator[Updater]:
        """A client whose errors are told apart: not to be trusted, or to be tried again."""
        cache = self._folder / hashlib.sha256(self._root.read_bytes()).hexdigest()[:16]
        self._disk.ensure_folder(cache)
        fetcher = HubFetcher(self._tls(), aborted)
        try:
            yield Updater(
                str(cache),
                f"{self._url}/metadata/",
                str(cache),
                f"{self._url}/targets/",
                fetcher=fetcher,
                bootstrap=self._root.read_bytes(),
            )
        except ExpiredMetadataError as error:
            raise RetryError(
                f"the hub's signed metadata has expired, or this clock is wrong: {error}"
            ) from error
        except (RepositoryError, DownloadLengthMismatchError) as error:
            raise UntrustedError(f"{type(error).__name__}: {error}") from error
        except (DownloadError, OSError) as error:
            raise RetryError(str(error)) from error
        finally:
            fetcher.close()
