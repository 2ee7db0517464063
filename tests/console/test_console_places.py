"""Where the console listens: plain HTTP on loopback alone."""

from pathlib import Path

import pytest

from cloud_hub.config import Endpoints, HubConfig
from cloud_hub.console.places import console_place
from cloud_hub.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> HubConfig:
    return HubConfig(state_dir=tmp_path)


def test_the_console_s_place_is_that_of_the_running_hub(config: HubConfig) -> None:
    Endpoints(
        pid=1,
        database_url="",
        broker_host="",
        broker_port=1,
        broker_tls=True,
        console_url="http://127.0.0.1:8471",
        device_url="https://127.0.0.1:8472",
    ).write(config.state_dir)
    assert console_place(config).port == 8471


def test_a_console_open_to_the_network_without_tls_is_refused(config: HubConfig) -> None:
    web = config.web.model_copy(update={"listen": "0.0.0.0"})
    with pytest.raises(ConfigError, match=r"set web\.certificate and web\.key"):
        console_place(config.model_copy(update={"web": web}))


def test_a_certificate_that_is_not_there_is_named(config: HubConfig) -> None:
    web = config.web.model_copy(update={"certificate": config.state_dir / "a", "key": config.state_dir / "b"})
    with pytest.raises(ConfigError, match="is not there"):
        console_place(config.model_copy(update={"web": web}))
