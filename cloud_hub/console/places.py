"""Where the two listeners listen, and the broker: what the running hub announced, else the settings.

The console speaks plain HTTP on loopback only; anywhere else it wants a certificate.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloud_hub.config import HubConfig
from cloud_hub.errors import UnreachableError
from cloud_hub.identity import certificates
from cloud_hub.identity.door import Door
from cloud_hub.parts.ports import EVERYWHERE, choose_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    name: str
    setting: str  # of its port, for messages
    listen: str
    port: int
    certificate: Path | None
    key: Path | None

    @property
    def url(self) -> str:
        host = f"[{self.listen}]" if ":" in self.listen else self.listen
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def console_place(config: HubConfig) -> Place:
    """Where the console listens; ``ConfigError`` for an address that others reach, without TLS."""
    web = config.web
    web.check()
    port = web.port or _announced(config, "console") or _remembered(config, "console", web.listen)
    return Place(
        name="console",
        setting="web.port",
        listen=web.listen,
        port=port,
        certificate=web.certificate,
        key=web.key,
    )


def devices_place(config: HubConfig) -> Place:
    """Where devices enrol and fetch bundles: always TLS, with a certificate of the hub's own authority."""
    devices = config.devices
    issued = certificates.ensure(
        config.state_dir, tuple(dict.fromkeys((*devices.names, "localhost", "127.0.0.1")))
    )
    port = devices.port or _announced(config, "device") or _remembered(config, "devices", devices.listen)
    return Place(
        name="device listener",
        setting="devices.port",
        listen=devices.listen,
        port=port,
        certificate=issued.server_certificate,
        key=issued.server_key,
    )


def broker_door(config: HubConfig) -> Door | None:
    """Where the broker takes devices; None where it knows no certificates: the embedded one."""
    if config.broker.host:
        return Door(host=config.broker.host, port=config.broker.port)
    endpoints, listen = config.endpoints(), config.broker.listen
    if not endpoints.broker_tls:
        return None
    host = "127.0.0.1" if listen in EVERYWHERE else listen
    return Door(host=host, port=endpoints.broker_port, check_name=False)


def _announced(config: HubConfig, which: str) -> int | None:
    try:
        endpoints = config.endpoints()
    except UnreachableError:
        return None
    return urlsplit(endpoints.console_url if which == "console" else endpoints.device_url).port


def _remembered(config: HubConfig, name: str, listen: str) -> int:
    note = config.state_dir / "parts" / f"{name}-port"
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return choose_port(note, listen=listen, configured=0, setting=f"{name}.port")
