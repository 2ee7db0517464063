"""Host files made from templates: the broker's configuration and the systemd units.

A place without a value is an error here, not a surprise in a daemon's log.
"""

from importlib.resources import files
from pathlib import Path
from string import Template

from firmware_configs.errors import TemplateError

QUEUED_BYTES = 256 << 20  # for one client: a stopped ingest process holds no more of the broker's memory
PACKET_BYTES = 16 << 20  # four times the largest batch ingest accepts


def mosquitto_conf(
    *,
    listen: str,
    port: int,
    hub_port: int,
    ca: Path,
    certificate: Path,
    key: Path,
    acl: Path,
    persistence: Path,
    revoked: Path | None = None,
) -> str:
    """The broker's configuration: mutual TLS, a listener for devices and one for the hub, bounded queues."""
    return _fill(
        "broker/mosquitto.conf",
        listen=listen,
        port=str(port),
        hub_port=str(hub_port),
        ca=str(ca),
        certificate=str(certificate),
        key=str(key),
        acl=str(acl),
        persistence=str(persistence),
        revoked=f"crlfile {revoked}" if revoked else "# no revocation list",
        queued_bytes=str(QUEUED_BYTES),
        packet_bytes=str(PACKET_BYTES),
    )


def devices_acl() -> str:
    """The access rules, the same for every hub."""
    return _read("broker/devices.acl")


def edge_unit(*, andon: Path, config: Path, user: str, state_dir: Path) -> str:
    """The systemd unit of a device's agent."""
    return _unit("edge", andon=andon, config=config, user=user, state_dir=state_dir)


def hub_unit(*, andon: Path, config: Path, user: str, state_dir: Path) -> str:
    """The systemd unit of a hub."""
    return _unit("hub", andon=andon, config=config, user=user, state_dir=state_dir)


def _unit(kind: str, **paths: Path | str) -> str:
    values = {name: str(value) for name, value in paths.items()}
    broken = [value for value in values.values() if "\n" in value or '"' in value]
    if broken:
        raise TemplateError(f"expected a plain path for a systemd unit, got {broken[0]!r}")
    return _fill(f"systemd/andon-{kind}.service", **values)


def _fill(name: str, **values: str) -> str:
    try:
        return Template(_read(name)).substitute(values)
    except (KeyError, ValueError) as error:
        raise TemplateError(f"{name}: no value for {error}") from error


def _read(name: str) -> str:
    return files("firmware_configs").joinpath(name).read_text(encoding="utf-8")
