"""Away from the hub, with stale metadata or a wrong clock: what runs goes on, and the device says why."""

import pytest
from update_parts import HOUR_US, USE_CASE

from cloud_hub.signing.keyring import Keyring


def expired_timestamp(hub):
    """As a hub leaves it that nobody has refreshed for too long."""
    timestamp = hub.repository.shelf.timestamp()
    timestamp.signed.version += 1
    timestamp.signed.expires = timestamp.signed.expires.replace(year=2020)
    timestamp.signatures.clear()
    for signer in Keyring.online(hub.state_dir).signers("timestamp"):
        timestamp.sign(signer)
    (hub.repository.metadata_folder / "timestamp.json").write_bytes(timestamp.to_bytes())


def stale(hub, device):
    expired_timestamp(hub)
    return "the signed metadata has expired, or this clock is wrong: timestamp.json is expired"


def away(hub, device):
    hub.server.shutdown()
    hub.server.server_close()
    return "Connection refused"


def behind(hub, device):
    device.clock.ahead_us = -2 * HOUR_US
    return "set the clock, then it is accepted"


def ahead(hub, device):
    device.clock.ahead_us = 48 * HOUR_US
    return "expired at"


@pytest.mark.parametrize("trouble", [stale, away, behind, ahead], ids=lambda trouble: trouble.__name__)
def test_an_offline_device_runs_on_and_says_why_it_takes_nothing(hub, device, trouble):
    hub.publish(2)
    wish = hub.offer(2)
    why = trouble(hub, device)
    device.boot()
    device.offer(wish)
    assert device.release == "motor-health/1"
    device.predict(4)
    assert why in device.last.reason, device.reports
    status = device.updates.status()
    assert why in (
        status["use_cases"][0]["reason"] if device.state == "downloading" else status["turned_away"]
    )
    assert device.boot().running()[USE_CASE].release == "motor-health/1"
