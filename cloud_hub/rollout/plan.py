"""A plan: which release goes to whom, in which waves, and what stops it.

A plan that contradicts itself is refused. A wave says how far the rollout has
come once it is open, as a count or a percentage of the selected devices: "1",
"50%", "100%" offers one device, then half of them, then all. Waves that add
nobody are left out, so one plan fits fleets of any size.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

from cloud_hub.errors import HubError

_WAVE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%?)")


class PlanError(HubError):
    """A rollout cannot be planned as asked."""


class Silent(StrEnum):
    """What a device that does not answer in time counts as."""

    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """How many devices are offered the release once this wave is open."""

    reach: float  # devices, or percent of them
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _WAVE.fullmatch(text.strip())
        if not match:
            raise PlanError(f"expected a wave such as 1, 50% or 100%, got {text!r}")
        reach, percent = float(match[1]), bool(match[2])
        if reach == 0:
            raise PlanError(f"a wave must reach somebody, got {text!r}")
        if percent and reach > 100:
            raise PlanError(f"a wave reaches at most 100%, got {text!r}")
        if not percent and reach != int(reach):
            raise PlanError(f"expected a whole number of devices, got {text!r}")
        return cls(reach=reach, percent=percent)

    def __str__(self) -> str:
        return f"{self.reach:g}%" if self.percent else f"{self.reach:g}"

    def of(self, devices: int) -> int:
        """How many of ``devices`` it reaches; a share of them is rounded up."""
        reached = math.ceil(devices * self.reach / 100 - 1e-9) if self.percent else int(self.reach)
        return min(reached, devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Devices that match every list that is not empty; all empty: the whole fleet."""

    sites: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        chosen = [f"{name} {', '.join(values)}" for name, values in asdict(self).items() if values]
        return "; ".join(chosen) or "the whole fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    release: str
    use_case: str
    waves: tuple[Wave, ...]
    selector: Selector = field(default_factory=Selector)
    tolerated: float = 0.0  # share of a wave that may fail
    soak_hours: float = 0.0  # clock time between a wave's last answer and the next wave
    timeout_hours: float = 24.0  # clock time from offer to answer; then the device is silent
    silent: Silent = Silent.FAIL

    def __post_init__(self) -> None:
        if self.use_case != self.release.rpartition("/")[0] or not self.use_case:
            raise PlanError(f"expected a release of {self.use_case!r}, got {self.release!r}")
        if not self.waves:
            raise PlanError("the plan opens no wave")
        _check_growth(self.waves)
        if not 0 <= self.tolerated < 1:
            raise PlanError(f"expected a tolerated share from 0 to below 1, got {self.tolerated:g}")
        if not (0 <= self.soak_hours < math.inf):
            raise PlanError(f"expected a soak of 0 hours or more, got {self.soak_hours:g}")
        if not (0 < self.timeout_hours < math.inf):
            raise PlanError(f"expected a timeout above 0 hours, got {self.timeout_hours:g}")

    def fields(self) -> dict[str, Any]:
        """The plan as JSON keeps it."""
        plain = asdict(self)
        return plain | {"waves": [str(wave) for wave in self.waves], "silent": str(self.silent)}

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """The plan kept as ``fields``."""
        try:
            known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
            lists = {name: tuple(map(str, values)) for name, values in fields["selector"].items()}
            waves = tuple(Wave.parse(text) for text in fields["waves"])
            special = {"waves": waves, "selector": Selector(**lists), "silent": Silent(fields["silent"])}
            return cls(**known | special)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"not a rollout plan: {error!r}") from error

    def assign(self, devices: Sequence[int]) -> dict[int, int]:
        """The wave, from 1, of each of ``devices``, which come in the order they are to be offered."""
        if self.waves[-1].of(len(devices)) < len(devices):
            raise PlanError(
                f"the last wave reaches {self.waves[-1].of(len(devices))} of {len(devices)} devices; "
                "end with a wave of 100%, or select fewer devices"
            )
        waves: dict[int, int] = {}
        number = 0
        for wave in self.waves:
            reached = devices[len(waves) : wave.of(len(devices))]
            number += bool(reached)
            waves.update(dict.fromkeys(reached, number))
        return waves


def _check_growth(waves: tuple[Wave, ...]) -> None:
    """Counts among each other, and percentages among each other, must grow."""
    for percent in (False, True):
        alike = [wave for wave in waves if wave.percent is percent]
        for earlier, later in pairwise(alike):
            if later.reach <= earlier.reach:
                raise PlanError(f"each wave must reach further: expected more than {earlier}, got {later}")
