"""The hub's settings: one TOML file, read once, frozen; unknown settings are refused by name.

What is not configured starts by itself: a hub without a database URL brings its
own PostgreSQL, one without a broker its own mosquitto.
"""

import ipaddress
import json
import os
import tomllib
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_hub.errors import ConfigError, UnreachableError
from cloud_hub.store.database import Database, check_conninfo
from wire.clock import Clock
from wire.errors import ClockError

CONFIG_VARIABLE = "ANDON_HUB_CONFIG"
CLOCK_VARIABLE = "ANDON_CLOCK"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSettings(_Settings):
    """Where the MQTT broker is; without a host the hub starts its own."""

    host: str = ""
    port: int = Field(default=8883, ge=1, le=65535)
    listen: str = "127.0.0.1"  # of the hub's own broker
    listen_port: int = Field(default=0, ge=0, le=65535)  # 0: a free one, kept from then on


class SsoSettings(_Settings):
    """Single sign-on by OpenID Connect; none without an issuer."""

    issuer: str = ""  # such as https://id.example.com/realms/plant
    client_id: str = ""
    client_secret_file: Path | None = None  # none for a public client
    console_url: str = ""  # as browsers reach the console; the provider knows it with /login/sso/back
    label: str = "Single sign-on"

    @property
    def back_url(self) -> str:
        """Where the provider sends browsers back to."""
        return f"{self.console_url.rstrip('/')}/login/sso/back"

    def check(self) -> None:
        """``ConfigError`` for what could be overheard, and for what is missing."""
        if not self.issuer:
            return
        if not self.client_id:
            raise ConfigError("expected web.sso.client_id, as the provider knows this hub")
        for name, url in (("issuer", self.issuer), ("console_url", self.console_url)):
            parts = urlsplit(url)
            if parts.scheme != "https" and not (
                parts.scheme == "http" and _is_loopback(parts.hostname or "")
            ):
                raise ConfigError(f"expected web.sso.{name} to begin with https://, got {url!r}")
        if self.client_secret_file and not self.client_secret_file.is_file():
            raise ConfigError(f"{self.client_secret_file} is not there: web.sso.client_secret_file")


class WebSettings(_Settings):
    """The console: plain HTTP on loopback, HTTPS anywhere else."""

    listen: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    certificate: Path | None = None
    key: Path | None = None
    idle_minutes: float = Field(default=60.0, gt=0)  # until a session that nobody uses ends, in real time
    session_hours: float = Field(default=12.0, gt=0)  # until any session ends: a shift
    sso: SsoSettings = SsoSettings()

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches the console."""
        return _is_loopback(self.listen)

    def check(self) -> None:
        """``ConfigError`` for files that are not there, and for an address others reach without TLS."""
        if bool(self.certificate) != bool(self.key):
            raise ConfigError("expected web.certificate and web.key together, got one of them")
        for file in filter(None, (self.certificate, self.key)):
            if not file.is_file():
                raise ConfigError(f"{file} is not there: web.certificate and web.key must be PEM files")
        if not self.certificate and not self.is_loopback:
            raise ConfigError(
                f"the console would be open to the network without encryption at {self.listen}: "
                "set web.certificate and web.key, or listen on 127.0.0.1"
            )


class DeviceListenerSettings(_Settings):
    """HTTPS for devices: enrolment, TUF metadata, bundles."""

    listen: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    names: tuple[str, ...] = ("localhost", "127.0.0.1")  # in the server certificate
    certificate_days: float = Field(default=397.0, gt=0, le=3650)  # of a device; it renews its own in time


class StoreSettings(_Settings):
    """How long and how finely the store keeps things; all in clock time."""

    partition_hours: float = Field(default=4.0, gt=0)  # wider where samples are kept for over 30 days
    late_horizon_days: float = Field(default=7.0, gt=0)
    raw_retention_days: float = Field(default=30.0, gt=0)
    ahead_partitions: int = Field(default=3, ge=1)
    row_partition_hours: float = Field(default=720.0, gt=0)  # of features and predictions
    row_retention_days: float = Field(default=1095.0, gt=0)
    quarantine_days: float = Field(default=90.0, gt=0)  # of what could not be stored
    settled_quarantine_days: float = Field(default=7.0, gt=0)  # of what was stored after all
    capture_days: float = Field(default=365.0, gt=0)  # of raw windows
    captures_each: int = Field(default=100, ge=1)  # of a machine, for each reason: the newest
    rollup_minute_days: float = Field(default=400.0, gt=0)  # never less than raw_retention_days
    rollup_hour_days: float = Field(default=3650.0, gt=0)  # never less than rollup_minute_days


class IngestSettings(_Settings):
    """Each ingest process by itself."""

    metrics_port: int = Field(default=0, ge=0, le=65535)  # on loopback, the next free one from it; 0: none


class ServingSettings(_Settings):
    """Scoring over HTTPS with client certificates, by released models; off unless it listens somewhere."""

    listen: str = ""  # empty: `andon hub run` starts none
    port: int = Field(default=0, ge=0, le=65535)  # 0: a free one, kept from then on


class SigningSettings(_Settings):
    """The online signing keys: sealed by a passphrase, or with a signer that is not this machine."""

    passphrase_file: Path | None = None  # keys/passphrase in the state directory
    uris: dict[str, str] = {}  # key: securesystemslib URI, such as "hsm:2?label=andon"
    public_keys: dict[str, Path] = {}  # key: its public half, PEM

    def check(self) -> None:
        """``ConfigError`` for a URI without its public key, or the other way round."""
        if alone := sorted(self.uris.keys() ^ self.public_keys.keys()):
            raise ConfigError(
                f"expected signing.uris and signing.public_keys of the same keys, {alone[0]} has one"
            )


class HubConfig(_Settings):
    state_dir: Path
    database_url: str = ""
    datasets_url: str = Field(default="", pattern=r"^$|^[a-z0-9+.-]+://.+")  # empty: below the artifacts
    broker: BrokerSettings = BrokerSettings()
    web: WebSettings = WebSettings()
    devices: DeviceListenerSettings = DeviceListenerSettings()
    store: StoreSettings = StoreSettings()
    ingest: IngestSettings = IngestSettings()
    serving: ServingSettings = ServingSettings()
    signing: SigningSettings = SigningSettings()
    ingest_processes: int = Field(default=1, ge=1, le=64)
    dask_scheduler: str = ""  # such as tcp://10.0.0.5:8786, after $DASK_SCHEDULER; empty: train here
    directive_days: float = Field(default=7.0, gt=0)  # until a directive nobody took expires
    clock: str = ""

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read ``path``, else the file $ANDON_HUB_CONFIG names, else the default place."""
        file = path or Path(os.environ.get(CONFIG_VARIABLE) or default_root() / "hub" / "hub.toml")
        try:
            settings: dict[str, Any] = tomllib.loads(file.read_text())
        except FileNotFoundError as error:
            raise ConfigError(f"no hub configuration at {file}: `andon hub install` writes one") from error
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{file} cannot be read: {error}") from error
        settings.setdefault("state_dir", str(file.parent))
        if os.environ.get(CLOCK_VARIABLE):
            settings["clock"] = _clock(os.environ[CLOCK_VARIABLE])
        return cls.parse(settings, origin=str(file))

    @classmethod
    def parse(cls, settings: dict[str, Any], *, origin: str) -> Self:
        try:
            config = cls.model_validate(settings)
            Clock.parse(config.clock)
            check_conninfo(config.database_url)
            config.web.check()
            config.web.sso.check()
            config.signing.check()
        except ValidationError as error:
            raise ConfigError(f"{origin}: {_explain(error)}") from error
        except (ClockError, ConfigError) as error:
            raise ConfigError(f"{origin}: {error}") from error
        if config.store.late_horizon_days >= config.store.raw_retention_days:
            raise ConfigError(
                f"{origin}: expected store.late_horizon_days below store.raw_retention_days, "
                f"got {config.store.late_horizon_days} and {config.store.raw_retention_days}"
            )
        return config

    @property
    def use_cases(self) -> Path:
        """Where use cases of this hub's own lie; one called like one of Andon's stands in for it."""
        return self.state_dir / "use_cases"

    def time(self) -> Clock:
        """The one clock of this hub."""
        return Clock.parse(self.clock)

    def endpoints(self) -> "Endpoints":
        return Endpoints.read(self.state_dir)

    def database(self, *, most: int = 8) -> Database:
        """The configured database, else the one the running hub started."""
        return Database(self.database_url or self.endpoints().database_url, most=most)


class Endpoints(_Settings):
    """Where the running hub's parts listen; the supervisor writes it, everyone else reads it."""

    pid: int
    database_url: str
    broker_host: str
    broker_port: int
    hub_port: int = 0  # of the running hub's broker, on loopback, for the hub's own processes
    broker_tls: bool
    console_url: str
    device_url: str

    @classmethod
    def read(cls, state_dir: Path) -> Self:
        file = state_dir / "run" / "endpoints.json"
        try:
            return cls.model_validate_json(file.read_text())
        except FileNotFoundError as error:
            raise UnreachableError(f"no hub runs in {state_dir}: start it with `andon hub run`") from error
        except (OSError, ValidationError) as error:
            raise UnreachableError(f"{file} cannot be read: {error}") from error

    def write(self, state_dir: Path) -> None:
        folder = state_dir / "run"
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "endpoints.json.new"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(self.model_dump(mode="json"), indent=2) + "\n")
        partial.replace(folder / "endpoints.json")


def _is_loopback(listen: str) -> bool:
    try:
        return ipaddress.ip_address(listen).is_loopback
    except ValueError:
        return listen == "localhost"


def default_root() -> Path:
    """Where Andon keeps its state: /var/lib/andon for root, the user's state folder else."""
    if os.geteuid() == 0:
        return Path("/var/lib/andon")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "andon"


def _clock(text: str) -> str:
    """A clock that did not come from the file is not blamed on the file."""
    try:
        Clock.parse(text)
    except ClockError as error:
        raise ConfigError(f"--clock or ${CLOCK_VARIABLE}: {error}") from error
    return text


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown setting {name}")
        else:
            problems.append(f"{name}: {problem['msg'].lower()}, got {problem.get('input')!r}")
    return "; ".join(problems)
