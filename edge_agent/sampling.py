"""Whether a source gives more than its device was meant to take, told before readings are late."""

from firmware_configs.profiles import Profile
from wire.table import SignalKind, SignalTable


def too_fast(table: SignalTable, profile: Profile) -> str:
    """What is too much, in one sentence; empty where it fits. Signals without a rate count as none.

    Scalars and waveforms share one processor, so what each takes of its limit adds up.
    """
    scalars, waveforms = (_rate(table, kind) for kind in (SignalKind.SCALAR, SignalKind.WAVEFORM))
    share = scalars / profile.scalars_per_second + waveforms / profile.waveform_samples_per_second
    if share <= 1:
        return ""
    return (
        f"expected at most {profile.scalars_per_second} scalar or"
        f" {profile.waveform_samples_per_second} waveform samples a second on {profile.name},"
        f" got {scalars:.0f} and {waveforms:.0f}, {share:.1f} times that:"
        " lower the rates, or share the machines among more devices"
    )


def _rate(table: SignalTable, kind: SignalKind) -> float:
    """Samples a second of all channels of ``kind``."""
    return sum(signal.rate_hz for signal in table.signals if signal.kind is kind)
