"""Downloads from the hub's device listener, by the hub's authority alone, never without end.

A server may be slow, lie or stop in mid-file: every wait is bounded, the average
rate has a lower bound, and a newer directive ends a download between two chunks.
"""

import ssl
import time
from collections.abc import Callable, Iterator

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

from edge_agent.updates.errors import AbortedError

CHUNK = 64 << 10
SILENCE_S = 15.0  # without a byte
GRACE_S = 30.0
SLOWEST = 1024  # bytes a second, on average after the grace


class HubFetcher(FetcherInterface):
    """Fetches over TLS; ``aborted`` is asked before every chunk."""

    def __init__(
        self, tls: ssl.SSLContext, aborted: Callable[[], bool] = lambda: False, silence_s: float = SILENCE_S
    ) -> None:
        self._aborted = aborted
        self._pool = urllib3.PoolManager(
            ssl_context=tls, retries=False, timeout=urllib3.Timeout(connect=silence_s, read=silence_s)
        )

    def close(self) -> None:
        self._pool.clear()

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            response = self._pool.request("GET", url, preload_content=False, redirect=False)
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error
        if response.status != 200:
            response.close()
            raise DownloadHTTPError(f"{url}: HTTP status {response.status}", response.status)
        return self._chunks(response, url)

    def _chunks(self, response: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
        started, received = time.monotonic(), 0
        try:
            for chunk in response.stream(CHUNK, decode_content=False):
                if self._aborted():
                    raise AbortedError(f"{url}: given up for a newer directive")
                received += len(chunk)
                if received < (time.monotonic() - started - GRACE_S) * SLOWEST:
                    raise SlowRetrievalError(f"{url}: {received} bytes in {time.monotonic() - started:.0f} s")
                yield chunk
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: silent after {received} bytes") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: broke off after {received} bytes: {error}") from error
        finally:
            response.close()
