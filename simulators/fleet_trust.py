"""What a simulated fleet may follow: python-tuf's client decides it, then ``wire.directive`` for each device.

One metadata cache and one copy of each bundle serve all devices of a process; every
directive is verified for the device it came to. A call may ask the hub, and then all
devices of the process wait for it.
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, ExpiredMetadataError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater

from simulators.fleet_identity import Identity
from simulators.fleet_updates import AwayError, RefusalError
from wire.bundle import file_sha256, read_bundle
from wire.directive import Accepted, Directive, Directors, SignedDirective, accept
from wire.errors import SignatureError, WireError
from wire.manifest import Manifest

DIRECTORS = "directors.json"
FRESH_S = 30.0  # directives in a row do not ask the hub again and again
ASKED_AGAIN_S = 2.0  # a key that is not known may be new: the hub is asked, but not for every forgery
PATIENCE_S = 10.0
CHUNK = 64 << 10

Admitted = tuple[SignedDirective, Directive]


class Trust:
    """The client's cache in ``folder``, for the hub at ``url``; ``root`` is what enrolment pinned."""

    def __init__(self, folder: Path, *, url: str, root: bytes, tls: ssl.SSLContext) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._url = url.rstrip("/")
        self._root = root
        self._tls = tls
        self._directors: Directors | None = None
        self._asked = 0.0
        self._manifests: dict[tuple[str, str], Manifest] = {}

    def admit(
        self, payload: bytes, identity: Identity, use_case: str, accepted: Accepted | None, now_us: int
    ) -> Admitted | None:
        """The directive in ``payload``, None for one accepted before; a ``WireError`` says what is wrong."""
        signed = SignedDirective.from_bytes(payload)
        judge = partial(
            accept,
            signed,
            device=identity.device,
            key_fingerprint=identity.key_fingerprint,
            site=identity.site,
            use_case=use_case,
            accepted=accepted,
            now_us=now_us,
        )
        try:
            directive = judge(self._known(FRESH_S))
        except SignatureError:
            directive = judge(self._known(ASKED_AGAIN_S))
        return None if directive is None else (signed, directive)

    def manifest(self, path: str, sha256: str) -> Manifest:
        """The manifest of the bundle that directive and signed targets agree on, downloaded once."""
        key = (path, sha256)
        if key not in self._manifests:
            self._manifests[key] = self._download(path, sha256)
        return self._manifests[key]

    def _known(self, max_age_s: float) -> Directors:
        """Who may direct, as signed at most ``max_age_s`` ago."""
        if self._directors is None or time.monotonic() - self._asked > max_age_s:
            with self._client() as client:
                target = client.get_targetinfo(DIRECTORS)
                if target is None:
                    raise RefusalError(f"{DIRECTORS} is not among the signed targets")
                self._directors = Directors.from_json(Path(client.download_target(target)).read_bytes())
            self._asked = time.monotonic()
        return self._directors

    def _download(self, path: str, sha256: str) -> Manifest:
        with self._client() as client:
            target = client.get_targetinfo(path)
            signed = target.hashes.get("sha256") if target else None
            if target is None or signed != sha256:
                said = str(signed)[:12]
                raise RefusalError(f"{path}: directive says SHA-256 {sha256[:12]}, signed metadata {said}")
            place = Path(client.download_target(target))
        if file_sha256(place) != sha256:
            raise RefusalError(f"{path}: expected SHA-256 {sha256[:12]}, got {file_sha256(place)[:12]}")
        try:
            return read_bundle(place).manifest
        except WireError as error:
            raise RefusalError(str(error)) from error

    @contextmanager
    def _client(self) -> Iterator[Updater]:
        fetcher = Fetcher(self._tls)
        folder = str(self._folder)
        base = (f"{self._url}/metadata/", folder, f"{self._url}/targets/")
        try:
            yield Updater(folder, *base, fetcher=fetcher, bootstrap=self._root)
        except (DownloadError, ExpiredMetadataError, OSError) as error:
            raise AwayError(str(error)) from error
        except RepositoryError as error:
            raise RefusalError(f"{type(error).__name__}: {error}") from error
        finally:
            fetcher.close()


class Fetcher(FetcherInterface):
    """Fetches from the hub over TLS, by the hub's own authority alone."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._pool = urllib3.PoolManager(ssl_context=tls, retries=False, timeout=PATIENCE_S)

    def close(self) -> None:
        self._pool.clear()

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._pool.request("GET", url, preload_content=False, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"{url}: HTTP status {response.status}", response.status)
        return self._chunks(response, url)

    def _chunks(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        try:
            yield from response.stream(CHUNK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: broke off: {error}") from error
        finally:
            response.close()
