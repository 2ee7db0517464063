"""A model that learnt from windows at one rate is no model for machines whose windows come at another."""

import pytest
from update_parts import NAMES, USE_CASE

from edge_agent.updates import Features
from wire.manifest import Waveform

TAUGHT = (Waveform(name="vibration", rate_hz=12_000.0),)


def of_machines_at(rates):
    return {
        "motor-pump": Features(feature_set="vibration-trend/1", names=NAMES, units=("1", "1"), rates=rates)
    }


@pytest.mark.parametrize(
    ("rates", "found"), [({"vibration": 25_600.0}, "25600 Hz"), ({"current": 12_000.0}, "no such waveform")]
)
def test_a_release_of_another_rate_is_refused_before_a_slot_is_touched(hub, device, rates, found):
    hub.publish(2, waveforms=TAUGHT)
    device.features = of_machines_at(rates)
    device.boot()
    device.offer(hub.offer(2))
    assert (device.state, device.release) == ("refused", f"{USE_CASE}/1")
    expected = f"learnt at another rate: vibration: expected windows at 12000 Hz, got {found}"
    assert expected in device.last.reason


def test_a_release_of_the_same_rate_is_installed_whatever_a_crystal_adds_to_it(hub, device):
    hub.publish(2, waveforms=TAUGHT)
    device.features = of_machines_at({"vibration": 12_001.5})
    device.boot()
    device.offer(hub.offer(2))
    assert (device.state, device.release) == ("probation", f"{USE_CASE}/2")
