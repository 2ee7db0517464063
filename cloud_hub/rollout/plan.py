"""A plan: which release goes to whom, when, in which waves, and what stops it.

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
from firmware_configs.errors import WindowError
from firmware_configs.windows import Window
from wire.errors import defect

LONGEST_HOURS = 10 * 366 * 24.0  # of a plan: times so far away have no date any more
MOST_DEVICES = 10**9  # that a wave may count to

_WAVE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%?)")


class PlanError(HubError):
    """A rollout cannot be planned as asked."""


class Silent(StrEnum):
    """What a device that does not answer in time counts as."""

    FAIL = "fail"
    SKIP = "skip"


class Late(StrEnum):
    """What becomes of a device that comes to match while the rollout runs, or comes back to it."""

    JOIN = "join"
    LEAVE = "leave"


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
        if reach > MOST_DEVICES:
            raise PlanError(f"expected a wave of at most {MOST_DEVICES} devices, got {text[:40]!r}")
        if reach == 0:
            raise PlanError(f"a wave must reach somebody, got {text!r}")
        if percent and reach > 100:
            raise PlanError(f"a wave reaches at most 100%, got {text!r}")
        if not percent and reach != int(reach):
            raise PlanError(f"expected a whole number of devices, got {text!r}")
        return cls(reach=reach, percent=percent)

    def __str__(self) -> str:
        return f"{self.reach:.15g}%" if self.percent else str(int(self.reach))

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
    targets: tuple[str, ...] = ()
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
    succeed: float | None = None  # share whose commits open the next wave; None: once all have answered
    soak_hours: float = 0.0  # clock time between a wave's success and the next wave
    timeout_hours: float = 24.0  # clock time from offer to answer; then the device is silent
    silent: Silent = Silent.FAIL
    at_once: int | None = None  # devices under way at any time; None: as many as the open waves hold
    windows: tuple[Window, ...] = ()  # in the time of each device's site; none: at any time
    approve_before: tuple[int, ...] = ()  # waves that a person lets open
    four_eyes: bool = False  # a person other than the one who started it
    late: Late = Late.JOIN

    def __post_init__(self) -> None:
        if self.use_case != self.release.rpartition("/")[0] or not self.use_case:
            raise PlanError(f"expected a release of {self.use_case!r}, got {self.release!r}")
        if not self.waves:
            raise PlanError("the plan opens no wave")
        _check_growth(self.waves)
        _check_shares(self.tolerated, self.succeed)
        if not (0 <= self.soak_hours <= LONGEST_HOURS):
            raise PlanError(f"expected a soak from 0 to {LONGEST_HOURS:g} hours, got {self.soak_hours:g}")
        if not (0 < self.timeout_hours <= LONGEST_HOURS):
            raise PlanError(
                f"expected a timeout above 0 and up to {LONGEST_HOURS:g} hours, got {self.timeout_hours:g}"
            )
        if self.at_once is not None and self.at_once < 1:
            raise PlanError(
                f"expected at least 1 device at once, got {self.at_once}: nobody would be offered it"
            )
        _check_approvals(self)

    def fields(self) -> dict[str, Any]:
        """The plan as JSON keeps it."""
        texts = {"waves": [*map(str, self.waves)], "windows": [*map(str, self.windows)]}
        return asdict(self) | texts | {"silent": str(self.silent), "late": str(self.late)}

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """The plan kept as ``fields``."""
        try:
            known = {name: fields[name] for name in cls.__dataclass_fields__ if name in fields}
            lists = {name: tuple(map(str, values)) for name, values in fields["selector"].items()}
            return cls(
                **known
                | {"selector": Selector(**lists), "silent": Silent(fields["silent"])}
                | {"waves": tuple(map(Wave.parse, fields["waves"]))}
                | {"windows": parse_windows(fields.get("windows", ()))}
                | {"approve_before": tuple(map(int, fields.get("approve_before", ())))}
                | {"late": Late(fields.get("late", Late.JOIN))}
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PlanError(f"not a rollout plan: {defect(error)}") from error

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

    def gates(self, devices: int) -> tuple[int, ...]:
        """The waves, as ``assign`` numbers them, that await approval; for one left out the next one does."""
        found: list[int] = []
        number = reached = 0
        due = False
        for planned, wave in enumerate(self.waves, 1):
            due = due or planned in self.approve_before
            if wave.of(devices) > reached:
                number, reached = number + 1, wave.of(devices)
                found += [number] if due else []
                due = False
        return tuple(found)


def parse_windows(texts: Sequence[str]) -> tuple[Window, ...]:
    """The maintenance windows of a rollout; ``PlanError`` names the one that is none."""
    try:
        return tuple(map(Window.parse, texts))
    except WindowError as error:
        raise PlanError(str(error)) from error


def _check_growth(waves: tuple[Wave, ...]) -> None:
    """Counts among each other, and percentages among each other, must grow."""
    for percent in (False, True):
        alike = [wave for wave in waves if wave.percent is percent]
        for earlier, later in pairwise(alike):
            if later.reach <= earlier.reach:
                raise PlanError(f"each wave must reach further: expected more than {earlier}, got {later}")


def _check_shares(tolerated: float, succeed: float | None) -> None:
    if not 0 <= tolerated < 1:
        raise PlanError(f"expected a tolerated share from 0 to below 1, got {tolerated:g}")
    if succeed is None:
        return
    if not 0 < succeed <= 1:
        raise PlanError(f"expected a share that has to succeed above 0 and up to 1, got {succeed:g}")
    if succeed + tolerated > 1 + 1e-9:
        raise PlanError(
            f"{succeed * 100:.4g}% of a wave has to succeed and {tolerated * 100:.4g}% of it may fail:"
            " more than the whole wave, so one that fails no more than it may could never pass"
        )


def _check_approvals(plan: Plan) -> None:
    for wave in plan.approve_before:
        if not 1 <= wave <= len(plan.waves):
            raise PlanError(f"approval before wave {wave}: expected a wave from 1 to {len(plan.waves)}")
    if plan.four_eyes and not plan.approve_before:
        raise PlanError("four eyes, but approval before no wave: name a wave that has to be approved")
