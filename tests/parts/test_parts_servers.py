"""The servers behind a hub: what is not configured is started, what is configured is waited for."""

import os
import shutil
from contextlib import ExitStack

import paho.mqtt.client as mqtt
import psycopg
import pytest

from cloud_hub.config import HubConfig
from cloud_hub.errors import UnreachableError
from cloud_hub.identity.certificates import HubCertificates
from cloud_hub.parts.broker import find_mosquitto
from cloud_hub.parts.places import sweep
from cloud_hub.parts.servers import Servers, await_database

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto on this machine")


@pytest.fixture
def state_dir(state_root):
    yield state_root / "hub"
    shutil.rmtree(state_root / "hub")
    sweep()


def started(config, stack):
    servers = Servers(config, ephemeral=True, say=lambda sentence: None)
    return servers.start(stack)


@needs_mosquitto
def test_a_hub_without_settings_brings_a_migrated_database_and_a_broker_that_knows_it(state_dir):
    with ExitStack() as stack:
        endpoints = started(HubConfig(state_dir=state_dir), stack)
        with psycopg.connect(endpoints.database_url) as connection:
            assert connection.execute("SELECT to_regclass('device')").fetchone() != (None,)
        assert endpoints.pid == os.getpid()
        assert endpoints.broker_tls
        assert_accepted(endpoints, HubCertificates.of(state_dir))


def assert_accepted(endpoints, files):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="hub-test", protocol=mqtt.MQTTv5)
    client.tls_set(files.ca, files.client_certificate, files.client_key)
    answers = []
    client.on_connect = lambda *arguments: answers.append(arguments[3])
    client.connect(endpoints.broker_host, endpoints.broker_port)
    while not answers:
        client.loop()
    client.disconnect()
    assert str(answers[0]) == "Success"


@needs_mosquitto
def test_a_second_start_finds_everything_where_it_was(state_dir):
    with ExitStack() as stack:
        first = started(HubConfig(state_dir=state_dir), stack)
        fingerprint = HubCertificates.of(state_dir).ca.read_bytes()
    with ExitStack() as stack:
        second = started(HubConfig(state_dir=state_dir), stack)
    assert first == second
    assert HubCertificates.of(state_dir).ca.read_bytes() == fingerprint


@needs_mosquitto
def test_a_configured_database_is_used_and_none_is_started(state_dir, empty_database):
    with ExitStack() as stack:
        endpoints = started(HubConfig(state_dir=state_dir, database_url=empty_database), stack)
    assert endpoints.database_url == empty_database
    assert not (state_dir / "log" / "postgres.log").exists()


def test_a_configured_database_that_is_down_is_one_sentence_without_the_password():
    with pytest.raises(UnreachableError, match="the configured database does not answer") as caught:
        await_database("postgresql://andon:secret@127.0.0.1:1/none", patience=0)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_configured_broker_is_named_and_none_is_started(state_dir, empty_database):
    config = HubConfig.parse(
        {
            "state_dir": state_dir,
            "database_url": empty_database,
            "broker": {"host": "mqtt.example", "port": 1234},
        },
        origin="test",
    )
    with ExitStack() as stack:
        endpoints = started(config, stack)
    assert (endpoints.broker_host, endpoints.broker_port, endpoints.broker_tls) == (
        "mqtt.example",
        1234,
        True,
    )
    assert not (state_dir / "log" / "broker.log").exists()
