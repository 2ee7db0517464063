"""Which device of a simulated fleet misbehaves, and how: drawn from the seed and the device's name alone.

So a device does the same in every run, whatever fleet it is part of and however many
processes simulate it, and whoever knows the seed knows how a rollout has to end.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from simulators.errors import SettingError


class Fault(StrEnum):
    NONE = "none"
    FAIL = "fail"  # fails its probation, and goes back
    REFUSE = "refuse"  # downloads, and refuses
    SILENT = "silent"  # accepts, and is not heard of again


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """``fail``, ``refuse`` and ``silent`` are shares of the fleet that do not overlap."""

    seed: int = 1
    fail: float = 0.0
    refuse: float = 0.0
    silent: float = 0.0
    slow_s: float = 0.0  # the slowest download; each device has its own share of it
    fail_releases: tuple[str, ...] = ()  # every device fails its probation with these

    def __post_init__(self) -> None:
        shares = self.fail + self.refuse + self.silent
        if shares > 1:
            raise SettingError(f"expected --fail, --refuse and --silent to be 100% at most, got {shares:.0%}")
        if self.slow_s < 0:
            raise SettingError(f"expected --slow in seconds from 0, got {self.slow_s:g}")

    def of(self, device: str, release: str) -> Fault:
        """What ``device`` does with ``release``."""
        fault = self.of_device(device)
        return Fault.FAIL if fault is Fault.NONE and release in self.fail_releases else fault

    def of_device(self, device: str) -> Fault:
        """What ``device`` does with every release."""
        drawn = draw(self.seed, "fault", device)
        shares = {Fault.FAIL: self.fail, Fault.REFUSE: self.refuse, Fault.SILENT: self.silent}
        for fault, of_fleet in shares.items():
            if drawn < of_fleet:
                return fault
            drawn -= of_fleet
        return Fault.NONE

    def slowness_s(self, device: str) -> float:
        """Seconds that a download takes longer on ``device``."""
        return self.slow_s * draw(self.seed, "slow", device)


def draw(seed: int, purpose: str, device: str) -> float:
    """A number from 0 to below 1, evenly spread over devices."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{device}".encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


def share(text: str) -> float:
    """The share that ``text`` says, such as 0.01 or 1%."""
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError as error:
        raise SettingError(f"expected a share such as 0.01 or 1%, got {text!r}") from error
    if not 0 <= value <= 1:
        raise SettingError(f"expected a share from 0 to 100%, got {text!r}")
    return value
