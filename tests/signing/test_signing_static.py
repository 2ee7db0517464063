"""The repository is files and nothing else: any HTTPS server, or a CDN, serves it."""

import ssl
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from cloud_hub.identity import certificates
from cloud_hub.signing import rotation
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing."""


class Https(FetcherInterface):
    def __init__(self, authority):
        self._pool = urllib3.PoolManager(ca_certs=str(authority))

    def _fetch(self, url):
        answer = self._pool.request("GET", url)
        if answer.status != 200:
            raise DownloadHTTPError("refused", answer.status)
        yield answer.data


@pytest.fixture
def served(hub, tmp_path):
    """The URL of a plain file server over ``repository``, and whom to trust for it."""
    places = certificates.ensure(tmp_path / "host", ["localhost"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(hub / "repository")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(places.server_certificate, places.server_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}", places.ca
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_static_host_is_enough_before_and_after_every_key_is_replaced(hub, served, bundle, tmp_path):
    url, authority = served
    first = (hub / "repository" / "metadata" / "1.root.json").read_bytes()

    def fetched(path):
        folder = tmp_path / "client"
        folder.mkdir(exist_ok=True)
        places = (str(folder), f"{url}/metadata/", str(folder), f"{url}/targets/")
        fetcher = Https(authority)
        updater = Updater(*places, fetcher=fetcher, bootstrap=first)
        content = Path(updater.download_target(updater.get_targetinfo(path))).read_bytes()
        fetcher._pool.clear()
        return content

    Repository(hub).publish_bundle(bundle, "bundles/a/1.zip")
    Repository(hub).publish_engine(bundle, "orin-nx-jp6", "a/1.engine")
    assert fetched("bundles/a/1.zip") == bundle.read_bytes()
    owner = Repository(hub, offline=Keyring(tmp_path / "offline", None))
    for names in (["root-1"], ["targets"], rotation.named(owner, ["online"], stolen=True)):
        rotation.replace(owner, names)
        for path in ("bundles/a/1.zip", "engines/orin-nx-jp6/a/1.engine"):
            assert fetched(path) == bundle.read_bytes()
