"""A hub that enrols over HTTPS, with a database of its own."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from cloud_hub.config import Endpoints, HubConfig
from cloud_hub.identity import certificates
from cloud_hub.identity.ca import Authority
from cloud_hub.identity.device_api import create_device_app
from cloud_hub.signing import keys
from cloud_hub.store.database import Database
from edge_agent.config import AgentConfig


class Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # or every answer waits 40 ms for an acknowledgement

    def log(self, *_):
        pass


@dataclass
class EnrollingHub:
    config: HubConfig
    database: Database
    authority: Authority
    app: object
    url: str
    places: Path

    def agent(self, device="press-04", url=None):
        """The configuration of a device that has nothing yet."""
        settings = {
            "device": device,
            "state_dir": str(self.places / device),
            "feed": {"address": "unix:/nowhere"},
            "hub": {"url": url or self.url},
        }
        return AgentConfig.parse(settings, origin="test")


@pytest.fixture
def repository_client(tmp_path):
    """A client of a device listener whose database nobody asks, and the state directory behind it."""
    keys.init(tmp_path / "hub", tmp_path / "offline")
    Authority.of(tmp_path / "hub").ensure()
    app = create_device_app(HubConfig(state_dir=tmp_path / "hub"), Database("host=nowhere"))
    return app.test_client(), tmp_path / "hub"


@pytest.fixture
def enrolling_hub(tmp_path, database):
    state_dir = tmp_path / "hub"
    keys.init(state_dir, tmp_path / "offline")
    places = certificates.ensure(state_dir, ["localhost", "127.0.0.1"])
    config = HubConfig(state_dir=state_dir, database_url=database)
    Endpoints(
        pid=1, database_url=database, broker_host="localhost", broker_port=8883, broker_tls=True,
        console_url="", device_url="",
    ).write(state_dir)  # fmt: skip
    with Database(database, patience_s=5) as opened:
        app = create_device_app(config, opened)
        server = make_server(
            "0.0.0.0", 0, app, threaded=True, request_handler=Quiet,
            ssl_context=(str(places.server_certificate), str(places.server_key)),
        )  # fmt: skip
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield EnrollingHub(
            config, opened, Authority.of(state_dir), app, f"https://127.0.0.1:{server.server_port}", tmp_path
        )
        server.shutdown()
        thread.join()
        server.server_close()
