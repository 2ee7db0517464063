"""What a simulated fleet keeps between two runs: who each device is, what it accepted, runs and has not sent.

    STATE/hub.json, ca.crt, root.json   the hub, and what enrolment pinned of it
    STATE/devices/NAME.pem              key and certificate, readable by their owner alone
    STATE/devices/NAME.json             site and fingerprint; ``memory`` is written when a run ends in order

A run that is killed leaves devices with their identity and without memory, as if each
had been given an empty disk: the hub tells of that as an ``outbox-lost`` gap.
"""

import base64
import json
import os
import ssl
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from simulators.errors import SettingError
from simulators.fleet_outbox import Held
from wire.directive import Accepted
from wire.errors import defect
from wire.messages import EpochFloor
from wire.topics import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Where the hub is, as enrolment told."""

    url: str
    broker_host: str
    broker_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    device: str
    site: str
    key_fingerprint: str  # SHA-256 of the certificate's public key (SPKI DER), hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One use case on one device."""

    accepted: Accepted
    release: str = ""  # running
    sha256: str = ""  # of its bundle
    state: str = ""
    directive: str = ""  # the payload of one whose life has not ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    use_cases: dict[str, Remembered] = field(default_factory=dict)
    epochs: tuple[EpochFloor, ...] = ()
    held: tuple[Held, ...] = ()

    def to_fields(self) -> dict[str, Any]:
        held = [asdict(item) | {"payload": base64.b64encode(item.payload).decode()} for item in self.held]
        return asdict(self) | {"held": held}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        use_cases = {
            name: Remembered(**row | {"accepted": Accepted(**row["accepted"])})
            for name, row in fields["use_cases"].items()
        }
        held = [Held(**row | {"payload": base64.b64decode(row["payload"])}) for row in fields["held"]]
        epochs = tuple(EpochFloor(**row) for row in fields["epochs"])
        return cls(use_cases=use_cases, epochs=epochs, held=tuple(held))


@dataclass(frozen=True, slots=True)
class StateFolder:
    """``folder`` of one fleet; several processes may write to it, each about devices of its own."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def root(self) -> Path:
        return self.folder / "root.json"

    def known(self) -> set[str]:
        """The devices that have an identity."""
        return {file.stem for file in (self.folder / "devices").glob("*.json")}

    def pem(self, device: str) -> Path:
        return self.folder / "devices" / f"{device}.pem"

    def trusting(self) -> ssl.SSLContext:
        """Trusts the hub's authority alone."""
        try:
            return ssl.create_default_context(cafile=self.authority)
        except (OSError, ssl.SSLError) as error:
            raise SettingError(f"{self.authority} cannot be used for TLS: {error}") from error

    def tls(self, device: str) -> ssl.SSLContext:
        """Trusts the hub's authority alone, and shows the certificate of ``device``."""
        context = self.trusting()
        try:
            context.load_cert_chain(self.pem(device))
        except (OSError, ssl.SSLError) as error:
            raise SettingError(f"{self.pem(device)} cannot be used for TLS: {error}") from error
        return context

    def prepare(self) -> None:
        try:
            (self.folder / "devices").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(f"cannot keep a fleet in {self.folder}: {error}") from error

    def hub(self) -> Hub:
        try:
            return Hub(**json.loads((self.folder / "hub.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise SettingError(
                f"{self.folder} does not say which hub its devices belong to: {error}"
            ) from error

    def keep_hub(self, hub: Hub, *, root: bytes) -> None:
        write(self.root, root)
        write(self.folder / "hub.json", json.dumps(asdict(hub)).encode())

    def keep(self, identity: Identity, pem: bytes) -> None:
        """Keep a new identity; it is there once its second file is."""
        write(self.pem(identity.device), pem)
        write(self._about(identity.device), json.dumps(asdict(identity)).encode())

    def load(self, device: str) -> tuple[Identity, Memory]:
        try:
            fields = json.loads(self._about(device).read_text())
            memory = Memory.from_fields(fields.pop("memory")) if "memory" in fields else Memory()
            return Identity(**fields), memory
        except (OSError, ValueError, TypeError, KeyError) as error:
            about = self._about(device)
            raise SettingError(f"{about} is no identity of a device: {defect(error)}") from error

    def forget(self, device: str) -> None:
        """Drop the memory of ``device``: from here on it is the run's, until the run keeps it again."""
        identity, _ = self.load(device)
        write(self._about(device), json.dumps(asdict(identity)).encode())

    def remember(self, identity: Identity, memory: Memory) -> None:
        fields = asdict(identity) | {"memory": memory.to_fields()}
        write(self._about(identity.device), json.dumps(fields).encode())

    def _about(self, device: str) -> Path:
        return self.folder / "devices" / f"{device}.json"


def read_tokens(file: Path) -> dict[str, str]:
    """The tokens in ``file`` by device: a JSON object a line, as ``andon device add`` writes them."""
    tokens: dict[str, str] = {}
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"cannot read tokens from {file}: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            tokens[str(fields["device"])] = str(fields["token"])
        except (ValueError, TypeError, KeyError) as error:  # a token is a secret: the line is not repeated
            raise SettingError(f'{file}:{number}: expected {{"device": …, "token": …}}') from error
    return tokens


def choose(count: int, *, tokens: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The first ``count`` devices by name, of those that have an identity or a token for one."""
    tokens, known = {*tokens}, {*known}
    names = sorted(tokens | known)
    for name in names:
        if not NAME.fullmatch(name):
            raise SettingError(f"expected a device name like press-04, got {name!r}")
    if not 0 < count <= len(names):
        raise SettingError(
            f"expected --devices from 1 to {len(names)}, got {count}: "
            f"{len(known)} have an identity, {len(tokens - known)} others a token"
        )
    return tuple(names[:count])


def write(file: Path, content: bytes) -> None:
    """Replace ``file`` as a whole, readable by its owner alone."""
    partial = file.with_name(f"{file.name}.{os.getpid()}.new")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    partial.replace(file)
