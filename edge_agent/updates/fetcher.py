"""Downloads from a repository, over TLS by a named trust, never without end.

A server may be slow, lie or stop in mid-file: every wait is bounded, the average
rate has a lower bound, and a newer directive ends a download between two reads.
A redirect is not followed: who may serve is in the configuration.
"""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from edge_agent.updates.errors import AbortedError

CHUNK = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How slow a server may be."""

    silence_s: float = 15.0  # without a byte
    grace_s: float = 30.0
    slowest: int = 1024  # bytes a second, on average after the grace


PATIENT = Patience()


class Fetcher(FetcherInterface):
    """``aborted`` is asked before every piece; without ``tls`` the system decides whom to trust."""

    def __init__(
        self,
        tls: ssl.SSLContext | None,
        aborted: Callable[[], bool] = lambda: False,
        patience: Patience = PATIENT,
    ) -> None:
        self._aborted = aborted
        self._patience = patience
        silence = urllib3.Timeout(connect=patience.silence_s, read=patience.silence_s)
        self._pool = urllib3.PoolManager(ssl_context=tls, retries=False, timeout=silence)

    def close(self) -> None:
        self._pool.clear()

    def open(self, url: str, start: int = 0) -> tuple[int, Iterator[bytes]]:
        """Where the pieces begin, and they: at byte ``start``, or at 0 where it cannot go on there."""
        if start:
            response = self._request(url, {"Range": f"bytes={start}-"})
            if response.status == 206 and _begins(response) == start:
                return start, self._pieces(response, url)
            response.close()
        response = self._request(url, {})
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"{url}: HTTP status {response.status}", response.status)
        return 0, self._pieces(response, url)

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.open(url)[1]

    def _request(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request("GET", url, headers=headers, preload_content=False, redirect=False)
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error

    def _pieces(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        started, received = time.monotonic(), 0
        try:
            # read1 returns what has come; read would wait for a whole chunk, dripped however slowly.
            while piece := response.read1(CHUNK, decode_content=False):
                if self._aborted():
                    raise AbortedError(f"{url}: given up for a newer directive")
                received += len(piece)
                self._check_rate(url, received, time.monotonic() - started)
                yield piece
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: silent after {received} bytes") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: broke off after {received} bytes: {error}") from error
        finally:
            response.close()

    def _check_rate(self, url: str, received: int, seconds: float) -> None:
        expected = (seconds - self._patience.grace_s) * self._patience.slowest
        if received < expected:
            raise SlowRetrievalError(
                f"{url}: expected {expected:.0f} bytes in {seconds:.0f} s, got {received}"
            )


def _begins(response: urllib3.BaseHTTPResponse) -> int | None:
    """The first byte of a partial answer, as its Content-Range says."""
    said = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(said[1]) if said else None
