"""Host files made from templates: the broker's configuration and the systemd units.

A place without a value is an error here, not a surprise in a daemon's log.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from string import Template

from firmware_configs.errors import TemplateError

QUEUED_BYTES = 256 << 20  # for one client: a stopped ingest process holds no more of the broker's memory
INFLIGHT_BYTES = 64 << 20  # to one client, of which it has not acknowledged any
MEMORY_BYTES = 2 << 30  # of the broker in all; above it, who asks for more is dropped
PACKET_BYTES = 16 << 20  # four times the largest batch ingest accepts
MOST_DEVICES = 12_000  # connections, 25 kB each: a fleet of 10,000, and who is just coming back
MOST_HUB_PROCESSES = 64
HASH_ROUNDS = 1000  # the password is 160 random bits: nobody can guess it, however fast


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFiles:
    """Where the broker finds what it reads; ``passwords`` is for the hub's listener alone."""

    ca: Path
    certificate: Path
    key: Path
    acl: Path
    hub_acl: Path
    persistence: Path
    revoked: Path | None = None
    passwords: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerBounds:
    """What the broker holds at most; bytes and connections."""

    queued: int = QUEUED_BYTES
    inflight: int = INFLIGHT_BYTES
    memory: int = MEMORY_BYTES
    packet: int = PACKET_BYTES
    devices: int = MOST_DEVICES


def mosquitto_conf(files: BrokerFiles, *, listen: str, port: int, hub_port: int, bounds: BrokerBounds) -> str:
    """The broker's configuration: mutual TLS, a listener for devices and one for the hub, bounded queues."""
    login = f"password_file {files.passwords}" if files.passwords else "use_identity_as_username true"
    return _fill(
        "broker/mosquitto.conf",
        listen=listen,
        port=str(port),
        hub_port=str(hub_port),
        ca=str(files.ca),
        certificate=str(files.certificate),
        key=str(files.key),
        acl=str(files.acl),
        hub_acl=str(files.hub_acl),
        persistence=str(files.persistence),
        revoked=f"crlfile {files.revoked}" if files.revoked else "# no revocation list",
        hub_login=login,
        queued_bytes=str(bounds.queued),
        inflight_bytes=str(bounds.inflight),
        memory_bytes=str(bounds.memory),
        packet_bytes=str(bounds.packet),
        devices=str(bounds.devices),
        hub_processes=str(MOST_HUB_PROCESSES),
    )


def devices_acl() -> str:
    """The access rules where devices connect, the same for every hub."""
    return _read("broker/devices.acl") + hub_acl()


def hub_acl() -> str:
    """The access rules of the hub's own listener: there nobody but the hub may say or hear anything."""
    return _read("broker/hub.acl")


def password_line(user: str, password: str, salt: bytes) -> str:
    """One line of a mosquitto 2 password file (PBKDF2 with SHA-512, as ``mosquitto_passwd`` writes it)."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
    words = (base64.b64encode(part).decode() for part in (salt, digest))
    return f"{user}:$7${HASH_ROUNDS}${'$'.join(words)}\n"


def edge_unit(*, andon: Path, config: Path, user: str, state_dir: Path, groups: tuple[str, ...] = ()) -> str:
    """The systemd unit of a device's agent; ``groups`` have to be there, or systemd does not start it."""
    line = f"SupplementaryGroups={' '.join(groups)}" if groups else "# no groups for a GPU's device nodes"
    return _unit("edge", andon=andon, config=config, user=user, state_dir=state_dir, groups=line)


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
    return resources("firmware_configs").joinpath(name).read_text(encoding="utf-8")
