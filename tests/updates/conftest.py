"""A hub that signs and serves for real, and a device that runs its first release."""

import threading

import pytest
from update_parts import USE_CASE, Device, Hub, Quiet, enrolled
from werkzeug.serving import make_server

from cloud_hub.config import HubConfig
from cloud_hub.identity import certificates
from cloud_hub.identity.device_api import create_device_app
from cloud_hub.signing import keys
from cloud_hub.signing.director import Director
from cloud_hub.signing.repository import Repository
from cloud_hub.store.database import Database


@pytest.fixture
def hub(tmp_path):
    state_dir = tmp_path / "hub"
    keys.init(state_dir, tmp_path / "offline")
    places = certificates.ensure(state_dir, ["localhost", "127.0.0.1"])
    config = HubConfig(state_dir=state_dir)
    app = create_device_app(config, Database("postgresql://nobody@localhost/none"))
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=Quiet,
        ssl_context=(str(places.server_certificate), str(places.server_key)),
    )  # fmt: skip
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Hub(
        state_dir=state_dir,
        url=f"https://127.0.0.1:{server.server_port}",
        repository=Repository(state_dir),
        director=Director.of(config),
        fingerprint="",
        server=server,
    )
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def device(hub, tmp_path):
    """A device that runs release 1 of motor-health."""
    fresh = Device(state_dir=tmp_path / "device", identity=enrolled(hub, tmp_path / "device"))
    hub.fingerprint = fresh.identity.key_fingerprint
    fresh.boot()
    hub.publish(1)
    fresh.commit(hub.offer(1))
    assert (fresh.state, fresh.release) == ("committed", "motor-health/1"), fresh.reports
    fresh.reports.clear()
    return fresh


@pytest.fixture
def attacked(hub, device):
    """Everything that is to be attacked, with a genuine release 2 published."""
    hub.publish(2)
    yield hub, device
    assert device.release == "motor-health/1"
    assert device.boot().running()[USE_CASE].release == "motor-health/1"
