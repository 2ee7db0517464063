"""The command line that the public TUF conformance suite drives, over HTTP, as the suite does.

``ANDON_TUF_CONFORMANCE=DIR`` names a checkout of https://github.com/theupdateframework/tuf-conformance,
with its requirements in ``DIR/.venv``: then the suite itself is run as well (113 tests, some minutes).
"""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloud_hub.signing import keys
from cloud_hub.signing.repository import Repository

CLIENT = Path(__file__).with_name("andon-tuf-client")
SUITE = os.environ.get("ANDON_TUF_CONFORMANCE", "")
PATH = "bundles/motor-health/1.zip"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Client:
    """The executable, with folders of its own and a repository on an HTTP server."""

    def __init__(self, folder, url):
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"
        self._url = url

    def init(self, root):
        return self._run("init", str(root))

    def refresh(self):
        return self._run("--metadata-url", f"{self._url}/metadata", "refresh")

    def download(self, name):
        return self._run(
            "--metadata-url", f"{self._url}/metadata", "--target-name", name,
            "--target-base-url", f"{self._url}/targets", "--target-dir", str(self.targets), "download",
        )  # fmt: skip

    def version(self, role):
        return json.loads((self.metadata / f"{role}.json").read_bytes())["signed"]["version"]

    def _run(self, *arguments):
        self.targets.mkdir(exist_ok=True)
        command = [sys.executable, CLIENT, "--metadata-dir", str(self.metadata), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        self.said = ended.stderr
        return ended.returncode


@pytest.fixture
def repository(tmp_path):
    keys.init(tmp_path / "hub", tmp_path / "offline")
    return Repository(tmp_path / "hub")


@pytest.fixture
def client(repository, tmp_path):
    """A client of ``repository`` that was given its first root."""
    handler = functools.partial(Quiet, directory=repository.metadata_folder.parent)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    client = Client(tmp_path, f"http://127.0.0.1:{server.server_port}")
    assert client.init(repository.metadata_folder / "1.root.json") == 0
    yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_follows_a_repository_and_refuses_an_attack_on_it(repository, client, tmp_path):
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(b"bundle")
    repository.publish_bundle(bundle, PATH)
    assert client.download(PATH) == 0, client.said
    assert [file.read_bytes() for file in client.targets.iterdir()] == [b"bundle"]
    old, version = (repository.metadata_folder / "timestamp.json").read_bytes(), client.version("timestamp")

    repository.republish()
    assert client.refresh() == 0, client.said
    assert client.version("timestamp") > version
    (repository.metadata_folder / "timestamp.json").write_bytes(old)
    assert client.refresh() == 1
    assert "BadVersionNumberError" in client.said
    assert client.version("timestamp") > version


@pytest.mark.skipif(not SUITE, reason="ANDON_TUF_CONFORMANCE names no checkout of the public suite")
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_public_suite_passes():
    python = Path(SUITE) / ".venv" / "bin" / "python"
    command = [python, "-m", "pytest", "-q", "tuf_conformance", "--entrypoint", f"{sys.executable} {CLIENT}"]
    ended = subprocess.run(command, cwd=SUITE, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:]
