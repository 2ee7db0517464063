"""A manifest says at which rates its model learnt; one that does not is read, and written, as it always was."""

import json
from typing import Any

import pytest

from wire.errors import BundleError
from wire.manifest import Input, Manifest, Output, Waveform, rate_misfit

TAUGHT = (Waveform(name="vibration_x", rate_hz=12_000.0), Waveform(name="vibration_y", rate_hz=12_000.0))


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "use_case": "motor-health",
        "version": 1,
        "release": "motor-health/1",
        "machine_class": "motor-pump",
        "feature_set": "vibration-trend/2",
        "inputs": (Input(name="vibration_x.rms", unit="m/s2"),),
        "outputs": (Output(name="anomaly", unit="1", low=0.0, high=1.0),),
        "rtol": 1e-4,
        "atol": 1e-5,
    }
    return Manifest(**fields | changes)


def test_a_manifest_that_tells_no_rates_has_the_bytes_it_had() -> None:
    payload = manifest().to_json()
    assert b"waveforms" not in payload
    assert Manifest.from_json(payload).waveforms == ()


def test_rates_go_with_the_manifest_and_come_back() -> None:
    assert Manifest.from_json(manifest(waveforms=TAUGHT).to_json()).waveforms == TAUGHT


@pytest.mark.parametrize(
    "wrong",
    [
        [{"name": "vibration_x", "rate_hz": 0}],
        [{"name": "vibration_x", "rate_hz": 1e999}],
        [{"name": "vibration_x", "rate_hz": "fast"}],
        [{"name": "vibration_x"}],
        ["vibration_x"],
        12_000,
    ],
)
def test_what_is_no_rate_is_no_manifest(wrong: Any) -> None:
    fields = json.loads(manifest(waveforms=TAUGHT).to_json())
    fields["waveforms"] = wrong
    with pytest.raises(BundleError):
        Manifest.from_json(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("rates", "told"),
    [
        ({"vibration_x": 12_000.0, "vibration_y": 12_000.0}, ""),
        ({"vibration_x": 12_090.0, "vibration_y": 11_910.0, "current": 5.0}, ""),
        (
            {"vibration_x": 12_000.0, "vibration_y": 25_600.0},
            "vibration_y: expected windows at 12000 Hz, got 25600 Hz",
        ),
        ({"vibration_y": 12_000.0}, "vibration_x: expected windows at 12000 Hz, got no such waveform"),
    ],
)
def test_a_waveform_at_another_rate_is_named_with_both(rates: dict[str, float], told: str) -> None:
    assert rate_misfit(TAUGHT, rates) == told
    assert rate_misfit((), rates) == ""
