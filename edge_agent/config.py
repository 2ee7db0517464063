"""The agent's settings: one TOML file, read once, frozen; unknown settings are refused by name."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.errors import ConfigError
from firmware_configs.errors import ProfileError, WindowError
from firmware_configs.profiles import Profile, profile
from firmware_configs.windows import Window
from wire.clock import Clock
from wire.errors import ClockError
from wire.topics import NAME

CLOCK_VARIABLE = "ANDON_CLOCK"


def _named(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError("expected a name like press-04")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"unix:.+|tcp:[^:]+:\d{1,5}", text):
        raise ValueError("expected unix:/path or tcp:host:port")
    return text


def _window(text: str) -> str:
    try:
        Window.parse(text)
    except WindowError as error:
        raise ValueError(str(error).partition(", got ")[0]) from error  # _explain tells what came
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text or "UTC")
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("expected a time zone like Europe/Paris") from error
    return text


def _https(text: str) -> str:
    if text and not re.fullmatch(r"https://[^/?#@]+(/[^?#]*)?", text):
        raise ValueError("expected a URL like https://updates.example.com/andon")
    return text


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HubSettings(_Settings):
    url: str = ""  # HTTPS of the hub's device listener; empty: as enrolment told
    repository_url: Annotated[str, AfterValidator(_https)] = ""  # of bundles and their metadata; empty: url


class BrokerSettings(_Settings):
    """Where the broker is; empty: as enrolment told."""

    host: str = ""
    port: int = Field(default=0, ge=0, le=65535)
    tls: bool = True  # false is for an embedded broker on loopback, and refused anywhere else


class FeedSettings(_Settings):
    address: Annotated[str, AfterValidator(_address)]


class UplinkSettings(_Settings):
    """How batches are closed and sent; all of it real time, whatever the clock."""

    window: int = Field(default=32, ge=1, le=1000)  # batches out without a commit mark
    max_rows: int = Field(default=2000, ge=1, le=100_000)  # samples and rows that close a batch
    max_age_s: float = Field(default=0.5, gt=0, le=60)  # of the oldest row in an open batch
    resend_s: float = Field(default=3.0, gt=0)  # first wait for the oldest batch's mark
    resend_max_s: float = Field(default=60.0, gt=0)
    reconnect_max_s: float = Field(default=15.0, gt=0)
    keepalive_s: int = Field(default=20, ge=2, le=3600)  # a dead link is noticed after twice as long
    max_bytes_per_s: int = Field(default=0, ge=0)  # of payload, alarms first; 0: no bound


class OutboxSettings(_Settings):
    max_bytes: int = Field(default=1 << 30, ge=1 << 16)
    when_full: Literal["drop", "refuse"] = "drop"  # drop the least precious, or stop reading the feed


class CaptureSettings(_Settings):
    """Raw windows, kept beside those of alarms and those that are asked for."""

    routine_hours: float = Field(default=24.0, ge=0, allow_inf_nan=False)  # of the readings' time; 0: none


class ProbationSettings(_Settings):
    """When a new release has proved itself; hours are clock time."""

    predictions: int = Field(default=20, ge=1)
    hours: float = Field(default=1.0, ge=0)
    max_disagreement: float = Field(default=0.5, gt=0)  # of the old release, as a share of the output's range
    max_bad_share: float = Field(default=0.05, ge=0, le=1)  # answers outside their range, or none
    max_p99_ms: float = Field(default=100.0, gt=0)
    max_memory_mb: float = Field(default=256.0, gt=0)  # that the agent grows by meanwhile


class InferenceSettings(_Settings):
    """What runs the networks; one that answers wrongly, late or not at all is fallen back from."""

    runner: Literal["auto", "onnxruntime-tensorrt", "onnxruntime-cuda", "onnxruntime-cpu"] = "auto"
    precisions: tuple[Literal["fp32", "tf32", "fp16", "bf16", "int8"], ...] = ()  # of engines, best first
    max_ms: float = Field(default=100.0, gt=0)  # that an answer may take, p99, where another way is faster
    remote_url: Annotated[str, AfterValidator(_https)] = ""  # of the hub's scoring service; empty: none
    remote_s: float = Field(default=1.0, gt=0, le=30)  # that a window may wait for it


class CriticalSettings(_Settings):
    """One condition under which a machine must not get another model; both bounds: between them."""

    signal: str = Field(min_length=1)
    machine: str = ""  # empty: any machine of this device that has the signal
    above: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    fresh_s: float = Field(default=60.0, gt=0)  # of clock time: an older value says nothing

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if self.above is None and self.below is None:
            raise ValueError(f"expected above or below for the signal {self.signal}")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"expected above {self.signal} to be less than below")
        return self


class UpdateSettings(_Settings):
    """When a release that is ready may be switched to."""

    windows: tuple[Annotated[str, AfterValidator(_window)], ...] = ()  # none: at any time
    zone: Annotated[str, AfterValidator(_zone)] = ""  # of the windows; empty: as enrolment told, or UTC
    critical: tuple[CriticalSettings, ...] = ()


class AgentConfig(_Settings):
    device: Annotated[str, AfterValidator(_named)]
    state_dir: Path
    profile: Annotated[str, AfterValidator(_named)] = "generic"  # what kind of device this is
    clock: str = ""
    hub: HubSettings = HubSettings()
    broker: BrokerSettings = BrokerSettings()
    feed: FeedSettings
    uplink: UplinkSettings = UplinkSettings()
    outbox: OutboxSettings = OutboxSettings()
    captures: CaptureSettings = CaptureSettings()
    probation: ProbationSettings = ProbationSettings()
    inference: InferenceSettings = InferenceSettings()
    updates: UpdateSettings = UpdateSettings()

    @classmethod
    def load(cls, path: Path, *, clock: str = "") -> Self:
        """Read ``path``; a relative ``state_dir`` is beside it, a clock given or in $ANDON_CLOCK wins."""
        try:
            settings: dict[str, Any] = tomllib.loads(path.read_text())
        except FileNotFoundError as error:
            raise ConfigError(f"no agent configuration at {path}: `andon edge install` writes one") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
        if isinstance(settings.get("state_dir"), str):
            settings["state_dir"] = path.parent / settings["state_dir"]
        settings["clock"] = clock or os.environ.get(CLOCK_VARIABLE) or settings.get("clock", "")
        return cls.parse(settings, origin=str(path))

    @classmethod
    def parse(cls, settings: dict[str, Any], *, origin: str) -> Self:
        try:
            config = cls.model_validate(settings)
            Clock.parse(config.clock)
            _check_precisions(config.inference.precisions, profile(config.profile))
        except ValidationError as error:
            raise ConfigError(f"{origin}: {_explain(error)}") from error
        except (ClockError, ProfileError) as error:
            raise ConfigError(f"{origin}: {error}") from error
        if config.uplink.resend_s > config.uplink.resend_max_s:
            raise ConfigError(
                f"{origin}: expected uplink.resend_s up to uplink.resend_max_s, "
                f"got {config.uplink.resend_s} and {config.uplink.resend_max_s}"
            )
        return config

    def time(self) -> Clock:
        """The one clock of this agent."""
        return Clock.parse(self.clock)


def _check_precisions(wanted: tuple[str, ...], device: Profile) -> None:
    if unknown := [precision for precision in wanted if precision not in device.precisions]:
        offered = ", ".join(device.precisions)
        raise ProfileError(
            f"inference.precisions: expected some of {offered}, which {device.name} has, got {unknown[0]}"
        )


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown setting {name}")
        elif problem["type"] == "missing":
            problems.append(f"setting {name} is missing")
        else:
            said = problem["msg"].removeprefix("Value error, ")
            problems.append(f"{name}: {said[:1].lower()}{said[1:]}, got {problem.get('input')!r}")
    return "; ".join(problems)
