"""A source that gives more than its device was meant to take."""

import pytest

from edge_agent.sampling import too_fast
from firmware_configs.profiles import profile
from wire.table import Machine, Signal, SignalKind, SignalTable


def table(scalars, waveforms, rate_hz):
    """Rates are of each channel."""
    kinds = [SignalKind.SCALAR] * scalars + [SignalKind.WAVEFORM] * waveforms
    signals = (
        Signal(id=number, machine=0, name=f"s{number}", unit="1", kind=kind, rate_hz=rate_hz)
        for number, kind in enumerate(kinds)
    )
    return SignalTable(machines=(Machine(name="m", machine_class="c"),), signals=tuple(signals))


@pytest.mark.parametrize(
    ("scalars", "waveforms", "rate_hz"),
    [(0, 0, 0.0), (500, 0, 100.0), (0, 4, 25_600.0), (0, 120, 100_000.0), (1000, 0, 0.0)],
    ids=["nothing", "at the limit", "four channels", "at the limit of waveforms", "irregular"],
)
def test_what_a_device_can_take_is_nothing_to_speak_of(scalars, waveforms, rate_hz):
    assert too_fast(table(scalars, waveforms, rate_hz), profile("orin-nano")) == ""


def test_too_many_samples_are_named_with_the_limit_and_what_to_do():
    assert too_fast(table(501, 0, 100.0), profile("orin-nano")) == (
        "expected at most 50000 scalar or 12000000 waveform samples a second on orin-nano, got 50100 and 0,"
        " 1.0 times that: lower the rates, or share the machines among more devices"
    )


def test_scalars_and_waveforms_share_one_processor():
    """Three fifths of either limit fit, both together do not."""
    most = profile("generic-x86")
    assert too_fast(table(15, 0, 6_000.0), most) == too_fast(table(0, 4000, 6_000.0), most) == ""
    assert "got 90000 and 24000000, 1.2 times that" in too_fast(table(15, 4000, 6_000.0), most)
