"""An MQTT broker of the hub's own, for when none is configured.

mosquitto with mutual TLS and access rules, if the machine has it; else ``iotcore`` on loopback, which asks
nobody for a certificate and protects no topic: good for a look, and it says so.
"""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cloud_hub.broker_access import USER, BrokerAccess
from cloud_hub.parts.accounts import account_for, own, private_directory
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.places import Places
from cloud_hub.parts.ports import EVERYWHERE, choose_port
from cloud_hub.parts.processes import last_words, spawn, stop
from firmware_configs.templates import (
    BrokerBounds,
    BrokerFiles,
    devices_acl,
    hub_acl,
    mosquitto_conf,
    password_line,
)

START_SECONDS = 20
BOUNDS = BrokerBounds()
# A connection is an open file, and by default a process may have a thousand, whatever its system allows.
AS_MANY_FILES = ("/bin/sh", "-c", 'ulimit -Sn "$(ulimit -Hn)"; exec "$0" -c "$1"')
ATTEMPTS = 5  # a port found free may be taken before the broker has it
STOP_STEPS = ((signal.SIGTERM, 10.0),)
SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"  # not on an ordinary user's PATH

NO_MOSQUITTO = (
    "mosquitto is not installed: the embedded broker runs instead, on loopback, without client certificates"
    " or access rules; install it (apt install mosquitto) before any device joins from elsewhere"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFiles:
    """The broker's certificate and key, the authority its clients must come from, and what that revoked.

    Whoever can read ``hub_key`` may use the hub's listener; without it a certificate named ``hub`` is enough.
    """

    ca: Path
    certificate: Path
    key: Path
    revoked: Path | None = None
    hub_key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    host: str
    port: int
    hub_port: int  # for the hub's own processes, on loopback; the same where one port serves all
    tls: bool


class Broker:
    """One broker per state directory; it keeps its port from one start to the next."""

    def __init__(
        self,
        state_dir: Path,
        files: ServerFiles,
        *,
        listen: str = "127.0.0.1",
        port: int = 0,
        ephemeral: bool = False,
        bounds: BrokerBounds = BOUNDS,
    ) -> None:
        """``port`` 0 takes a free one, the same as last time if it still is."""
        self._bounds = bounds
        self._places = Places(state_dir, ephemeral=ephemeral)
        self._files = files
        self._listen = listen
        self._port = port
        self._note = state_dir / "parts" / "broker-port"
        self._process: subprocess.Popen[bytes] | None = None
        self._heeded = 0  # which revocation list the broker has, by when it was written
        self.address = Address(host="", port=0, hub_port=0, tls=False)  # until it was started
        self.program = find_mosquitto()
        self._account = account_for("broker") if self.program else None

    @property
    def warning(self) -> str | None:
        """What is missing with the broker found here."""
        return None if self.program else NO_MOSQUITTO

    def start(self) -> Address:
        """Start, wait until it accepts connections, and return where."""
        for _ in range(ATTEMPTS):
            port = choose_port(
                self._note, listen=self._listen, configured=self._port, setting="broker.listen_port"
            )
            hub_port = self._hub_port(port)
            address = Address(
                host=self._local_host(), port=port, hub_port=hub_port, tls=self.program is not None
            )
            log = self._places.log("broker")
            self._process = self._spawn(address, log)
            if self._answers(address):
                self.address = address
                return address
            self.stop()
            if "in use" not in log.read_text(errors="replace"):
                break
        raise PartError(f"the broker did not start: {last_words(log)} (log: {log})")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def heed(self) -> None:
        """Take over the revocation list, if it was written anew since."""
        if self._written() != self._heeded:
            self.reload()

    def reload(self) -> None:
        """Take over a new revocation list; connections that are open stay open."""
        if self.program and self.alive():
            self._install_files()
            assert self._process is not None
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Save sessions and retained messages, end."""
        if self._process is not None:
            stop(self._process, *STOP_STEPS)
            self._process = None

    def _local_host(self) -> str:
        return "127.0.0.1" if self.program is None or self._listen in EVERYWHERE else self._listen

    def _hub_port(self, port: int) -> int:
        if self.program is None:
            return port
        note = self._note.with_name("broker-hub-port")
        return choose_port(note, listen="127.0.0.1", configured=0, setting="broker.listen_port")

    def _spawn(self, address: Address, log: Path) -> subprocess.Popen[bytes]:
        if self.program is None:
            options = [
                "--listen",
                "127.0.0.1",
                "--port",
                str(address.port),
                "--packet-bytes",
                str(self._bounds.packet),
            ]
            command = [sys.executable, "-P", "-m", "cloud_hub.parts.embedded_broker", *options]
            return spawn(command, log=log)
        configuration = self._configure(address)
        return spawn([*AS_MANY_FILES, self.program, configuration], log=log, account=self._account)

    def _configure(self, address: Address) -> Path:
        place = self._install_files()
        persistence = private_directory(place / "sessions", self._account)
        files = BrokerFiles(
            ca=place / "ca.crt",
            certificate=place / "server.crt",
            key=place / "server.key",
            revoked=place / "revoked.crl" if self._files.revoked else None,
            passwords=place / "hub.passwords" if self._files.hub_key else None,
            acl=place / "devices.acl",
            hub_acl=place / "hub.acl",
            persistence=persistence,
        )
        text = mosquitto_conf(
            files, listen=self._listen, port=address.port, hub_port=address.hub_port, bounds=self._bounds
        )
        return self._write(place / "mosquitto.conf", text.encode())

    def _install_files(self) -> Path:
        """Copy the certificates to where the broker's account, and no other, can read them."""
        place = self._places.of("broker", self._account)
        self._heeded = self._written()
        contents = {
            "devices.acl": devices_acl().encode(),
            "hub.acl": hub_acl().encode(),
            "ca.crt": self._files.ca.read_bytes(),
            "server.crt": self._files.certificate.read_bytes(),
            "server.key": self._files.key.read_bytes(),
        }
        if self._files.revoked:
            contents["revoked.crl"] = self._files.revoked.read_bytes()
        if self._files.hub_key:
            password = BrokerAccess.of(self._files.hub_key).password
            contents["hub.passwords"] = password_line(USER, password, os.urandom(12)).encode()
        for name, content in contents.items():
            self._write(place / name, content)
        return place

    def _written(self) -> int:
        """When the revocation list was, in nanoseconds; 0 where there is none."""
        return self._files.revoked.stat().st_mtime_ns if self._files.revoked else 0

    def _write(self, path: Path, content: bytes) -> Path:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        own(path, self._account)
        path.write_bytes(content)
        return path

    def _answers(self, address: Address) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self.alive() and time.monotonic() < deadline:
            try:
                self._shake_hands(address)
                return self.alive()
            except OSError:  # not listening yet, or not with our certificate
                time.sleep(0.05)
        return False

    def _shake_hands(self, address: Address) -> None:
        with socket.create_connection((address.host, address.port), timeout=5) as plain:
            if address.tls:
                context = ssl.create_default_context(cafile=self._files.ca)
                context.check_hostname = False  # who is asked for is our own child; the chain is what counts
                context.wrap_socket(plain).close()


def find_mosquitto() -> str | None:
    """The program, also where only root's PATH leads."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_PATHS)
