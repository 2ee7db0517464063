"""A PostgreSQL with TimescaleDB's Apache edition, out of Debian's packages, for tests: needs root, no Docker.

``build`` makes a Debian in a folder of the cache, once (under a minute, 500 MB). ``run`` starts a server with
a cluster of its own in there, prints one line of JSON, and ends with its standard input: ``{"url": …}``, the
connection of a user who may make databases and nothing else. Mounts and processes live in namespaces of their
own, so that however this process ends none of them is left; a killed run's folder goes with the next one.
Exit status 3, with the reason in one sentence: this machine cannot have it.
"""

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kept import CannotError, call, kept, main

SUITE, MAJOR = "trixie", "17"
PACKAGES = (f"postgresql-{MAJOR}", f"postgresql-{MAJOR}-timescaledb")
DEBIAN = "http://deb.debian.org/debian"  # where the machine's own configuration names no Debian
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SCRIPT = Path("/usr/share/debootstrap/scripts") / SUITE
BUILD_SECONDS = 270.0
NEVER_READ = ("var/cache/apt", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/postgresql")
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--")
USER = "setpriv --reuid=postgres --regid=postgres --clear-groups"
BIN = f"/usr/lib/postgresql/{MAJOR}/bin"
SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    "listen_addresses": "",
    "unix_socket_directories": "/mnt/socket",
    "fsync": "off",  # tests kill processes, never the kernel
    "jit": "off",
    "timezone": "UTC",
    "max_connections": "60",
    "max_locks_per_transaction": "256",
}
OPTIONS = " ".join(shlex.quote(f"--{name}={value}") for name, value in SETTINGS.items())
# The first process in its namespaces: what it starts ends with it, and it ends with its standard input.
INSIDE = f"""
set -e
export PGHOST=/mnt/socket PGUSER=postgres PGDATABASE=postgres LC_ALL=C
{USER} {BIN}/initdb -D /mnt/data -U postgres --auth=trust --encoding=UTF8 --no-sync >/mnt/log 2>&1
{USER} {BIN}/postgres -D /mnt/data {OPTIONS} >>/mnt/log 2>&1 &
server=$!
until {BIN}/psql -qc 'CREATE ROLE andon LOGIN CREATEDB' >>/mnt/log 2>&1; do
  kill -0 $server
  sleep 0.05
done
echo ready
while read -r _; do :; done
kill -INT $server
wait $server || true
"""


def build() -> Path:
    """The Debian with PostgreSQL in it, made where it is missing."""
    _check()
    return kept(f"{SUITE}-timescaledb-{MAJOR}", _make)


def _check() -> None:
    if os.geteuid() != 0:
        raise CannotError("only root can make a Debian to run it in")
    if not shutil.which("unshare"):
        raise CannotError("no unshare: apt install util-linux")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        raise CannotError("this container may not make namespaces (it lacks CAP_SYS_ADMIN)")


def _make(folder: Path) -> None:
    """In namespaces of its own: mounts that debootstrap makes go with its processes."""
    if not shutil.which("debootstrap") or not KEYRING.exists():
        raise CannotError("apt install debootstrap debian-archive-keyring: one is missing")
    if not SCRIPT.exists():
        raise CannotError(f"this debootstrap does not know {SUITE}: install a newer one")
    command = ["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", f"--include={','.join(PACKAGES)}"]
    call(
        [*NAMESPACES, *command, SUITE, folder, mirror()],
        f"debootstrap from {mirror()}",
        seconds=BUILD_SECONDS,
        told="^[EW]:",
        env={**os.environ, **proxies()},
    )
    for name in NEVER_READ:
        shutil.rmtree(folder / name, ignore_errors=True)


def mirror() -> str:
    """Where this machine gets Debian from, by its own configuration of apt."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    if release.get("ID") != "debian":
        return DEBIAN
    shape = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    said = subprocess.run(
        ["apt-get", "indextargets", "--format", shape, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    own = {release.get("VERSION_CODENAME", ""), "stable", "testing", "sid", SUITE}
    for uri, suite, component in (line.split() for line in said.splitlines()):
        if suite in own and component == "main" and re.match(r"(https?|file):", uri):
            return uri
    return DEBIAN


def proxies() -> dict[str, str]:
    """The proxy that apt is told to use, where the environment names none."""
    found = {}
    for scheme in ("http", "https"):
        variable, option = f"{scheme}_proxy", f"Acquire::{scheme}::Proxy"
        if not os.environ.get(variable) and not os.environ.get(variable.upper()):
            said = subprocess.run(
                ["apt-config", "shell", "P", option], capture_output=True, text=True, check=False
            )
            value = said.stdout.strip().removeprefix("P=").strip("'")
            found |= {variable: value} if value and value != "DIRECT" else {}
    return found


@contextlib.contextmanager
def _workplace() -> Iterator[Path]:
    """A folder with a short name that root alone may enter; those of runs that were killed go first."""
    base = Path(tempfile.gettempdir())
    for old in base.glob("andon-timescale-*"):
        if old.stat().st_uid != os.geteuid():
            continue
        with contextlib.suppress(OSError), (old / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)
    place = Path(tempfile.mkdtemp(prefix="andon-timescale-"))
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)


def run() -> None:
    """Serve until standard input ends."""
    root = build()
    with _workplace() as place:
        # Root alone passes the folder above, so what lies in it may belong to the server's user there.
        account = (root / "etc" / "passwd").read_text().partition("\npostgres:")[2].split(":")
        for name in ("inside", "inside/data", "inside/socket"):
            (place / name).mkdir(mode=0o700)
            os.chown(place / name, int(account[1]), int(account[2]))
        inner = ("chroot", str(root), "/bin/sh", "-c", INSIDE)
        mounts = (
            ("mount", "--bind", str(place / "inside"), str(root / "mnt")),
            ("mount", "-t", "proc", "proc", str(root / "proc")),
            ("mount", "-t", "tmpfs", "tmpfs", str(root / "dev" / "shm")),
        )
        script = " && ".join(map(shlex.join, mounts)) + f" && exec {shlex.join(inner)}"
        server = subprocess.Popen(
            [*NAMESPACES, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            _serve(server, place / "inside")
        finally:
            server.stdin.close()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _serve(server: subprocess.Popen, place: Path) -> None:
    if server.stdout.readline() != "ready\n":
        log = (place / "log").read_text() if (place / "log").exists() else "its folders could not be mounted"
        raise CannotError(f"the server did not start: {' '.join(log.split())[-300:]}")
    print(json.dumps({"url": f"postgresql://andon@/postgres?host={place / 'socket'}"}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main(build, run)
