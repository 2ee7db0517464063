"""The hub refuses settings it cannot keep, before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError


def parse(**settings: Any) -> HubConfig:
    return HubConfig.parse({"state_dir": "/nowhere"} | settings, origin="hub.toml")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"databas_url": "x"}, r"hub\.toml: unknown setting databas_url"),
        ({"store": {"partition_hour": 1}}, r"unknown setting store\.partition_hour"),
        ({"ingest_processes": 0}, r"ingest_processes: .*got 0"),
        ({"store": {"late_horizon_days": 40}}, r"late_horizon_days below store\.raw_retention_days, got 40"),
        ({"clock": "tomorrow"}, r"START,FACTOR"),
        ({"web": {"listen": "0.0.0.0"}}, r"without encryption at 0\.0\.0\.0"),
        ({"web": {"certificate": "/nowhere/a.pem"}}, r"web\.certificate and web\.key together"),
        ({"web": {"certificate": "/nowhere/a", "key": "/nowhere/b"}}, r"/nowhere/a is not there"),
    ],
)
def test_a_setting_that_cannot_be_kept_is_named(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse(**settings)


def test_a_hub_without_settings_brings_its_own_parts() -> None:
    config = parse()
    assert (config.database_url, config.broker.host, config.web.listen) == ("", "", "127.0.0.1")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="andon hub install"):
        HubConfig.load(tmp_path / "hub.toml")
