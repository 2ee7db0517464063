"""What was verified once is never forgotten, whatever the power does; and another host may serve it all."""

import functools
import http.server
import json
import ssl
import threading
from dataclasses import replace
from typing import ClassVar

import pytest
from power_parts import Platter, RecordingDisk
from update_parts import HastyDisk, enrolled

from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError
from edge_agent.updates.errors import RetryError, UntrustedError
from edge_agent.updates.trust import Trust
from tests.certificates import Certificates

TIMESTAMP = "timestamp.json"


@pytest.fixture
def identity(hub, tmp_path):
    return enrolled(hub, tmp_path / "device")


def trust(identity, folder, disk=None):
    return Trust(
        folder,
        url=identity.repository_url,
        root=identity.root,
        tls=identity.repository_tls,
        disk=disk or HastyDisk(),
    )


def versions(folder):
    """By file of the cache below ``folder``, the version it says; a torn one would not parse."""
    return {
        file.name: json.loads(file.read_bytes())["signed"]["version"]
        for file in folder.glob("*/**/*.json")
        if "directors" not in file.name
    }


def test_power_loss_in_a_refresh_never_brings_back_older_metadata(hub, identity, tmp_path):
    """At every touch, in every way: no version falls, no file is torn, and the old timestamp is no way back."""
    folder = tmp_path / "trusted"
    hub.publish(1)
    trust(identity, folder).directors()
    old, before = (hub.repository.metadata_folder / TIMESTAMP).read_bytes(), versions(folder)
    hub.publish(2)
    platter, disk = Platter(folder), RecordingDisk(folder, [])
    trust(identity, folder, disk).directors()
    after = versions(folder)
    assert after[TIMESTAMP] > before[TIMESTAMP]
    (hub.repository.metadata_folder / TIMESTAMP).write_bytes(old)  # the attack
    refused = 0
    seen = {}
    for number, touch in enumerate([*disk.touches, None]):
        for images in platter.images(touch, number).values():
            seen |= dict.fromkeys(images)
        if touch:
            platter.do(touch)
    for number, image in enumerate(seen):
        image.write(tmp_path / f"{number}")
        found = versions(tmp_path / f"{number}")
        assert all(before[name] <= found[name] <= after[name] for name in before), number
        if found[TIMESTAMP] > before[TIMESTAMP]:
            refused += 1
            with pytest.raises(UntrustedError, match="BadVersionNumberError"):
                trust(identity, tmp_path / f"{number}").directors()
    assert 0 < refused < len(seen)


def test_what_is_acted_on_is_durable_before(hub, identity, tmp_path):
    """When the answer is there, even a disk that drops all that was not synced knows what it stands on."""
    folder = tmp_path / "trusted"
    hub.publish(1)
    folder.mkdir()
    platter, disk = Platter(folder), RecordingDisk(folder, [])
    trust(identity, folder, disk).directors()
    for touch in disk.touches:
        platter.do(touch)
    platter.images(None, 0)["lost"][0].write(tmp_path / "lost")
    assert versions(tmp_path / "lost") == versions(folder)
    assert {"root.json", "1.root.json", TIMESTAMP, "snapshot.json", "targets.json"} <= versions(folder).keys()


def test_garbage_where_tuf_worked_when_the_power_failed_is_no_trouble(hub, identity, tmp_path):
    trust(identity, tmp_path).directors()
    cache = next(file.parent for file in tmp_path.glob("*/timestamp.json"))
    (cache / "scratch" / "root_history").mkdir(parents=True)
    (cache / "scratch" / "timestamp.json").write_bytes(b"{")
    (cache / "timestamp.json.new").write_bytes(b"{")
    trust(identity, tmp_path).directors()
    assert not (cache / "scratch").exists()


def test_the_last_directors_answer_for_a_hub_that_is_away(hub, identity, tmp_path):
    known = trust(identity, tmp_path).directors()
    away = replace(identity, hub_url="https://127.0.0.1:1", repository_url="https://127.0.0.1:1")
    assert trust(away, tmp_path).directors() == known
    (tmp_path / "known-directors.json").write_bytes(b"{")  # a damaged file is none
    with pytest.raises(RetryError):
        trust(away, tmp_path).directors()


class StaticHost(http.server.SimpleHTTPRequestHandler):
    """Python's own file server; notes whether anybody showed a certificate."""

    shown: ClassVar = []

    def do_GET(self):
        self.shown.append(self.connection.getpeercert(binary_form=True))
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def static_host(hub, identity, tmp_path):
    """The hub's repository on a host with a certificate of its own authority; it asks for the hub's clients."""
    own = Certificates(tmp_path / "elsewhere")
    pair = own.issue("localhost", server=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(identity.authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    handler = functools.partial(StaticHost, directory=hub.repository.metadata_folder.parent)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    StaticHost.shown.clear()
    yield f"https://127.0.0.1:{server.server_port}", own
    server.shutdown()
    thread.join()
    server.server_close()


def at(identity, url):
    """The device, told by its configuration that the repository is elsewhere."""
    config = AgentConfig.parse(
        {
            "device": identity.device,
            "state_dir": str(identity.folder.parent),
            "feed": {"address": "unix:/nowhere"},
            "hub": {"repository_url": url},
        },
        origin="test",
    )
    return type(identity).load(config)


def test_a_static_host_serves_a_device_that_shows_it_no_certificate(
    hub, identity, static_host, tmp_path, monkeypatch
):
    url, own = static_host
    published = hub.publish(2)
    monkeypatch.setenv("SSL_CERT_FILE", str(own.ca))  # what the system trusts
    device = trust(at(identity, url), tmp_path / "trusted")
    device.directors()
    device.download(published.target_path, published.sha256, tmp_path / "download")
    assert (tmp_path / "download").read_bytes() == hub.target_file(2).read_bytes()
    assert set(StaticHost.shown) == {None}


def test_a_static_host_that_the_system_does_not_trust_is_asked_nothing(hub, identity, static_host, tmp_path):
    url, _ = static_host
    with pytest.raises(RetryError, match="CERTIFICATE_VERIFY_FAILED"):
        trust(at(identity, url), tmp_path / "trusted").directors()
    assert StaticHost.shown == []


def test_the_hub_itself_is_shown_the_certificate_whatever_the_path(identity):
    assert at(identity, f"{identity.hub_url}/mirror").repository_tls().cert_store_stats()["x509_ca"] == 1
    assert at(identity, "").repository_url == identity.hub_url


@pytest.mark.parametrize("url", ["http://cdn.example.com", "cdn.example.com", "https://", "https://a/b?c=d"])
def test_a_repository_is_served_by_https_or_not_at_all(identity, url):
    with pytest.raises(ConfigError, match="expected a URL like https://updates"):
        at(identity, url)
