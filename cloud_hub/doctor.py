"""What a hub can run here: a broker, a PostgreSQL and what it offers, training.

A part that can be tried is tried: the embedded PostgreSQL is started, not looked up.
"""

import importlib.metadata
import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from firmware_configs.host import Check, State, ask_python

SPARE_FILES = 500  # of the broker and of the system, beside one for each device
EXTRA = "pip install 'andon[hub]'"


def checks(*, quick: bool) -> list[Check]:
    """The hub's parts; ``quick`` starts none."""
    if importlib.util.find_spec("psycopg") is None or importlib.util.find_spec("flask") is None:
        found = "the hub's libraries are not installed"
        return [Check(name="hub", state=State.WARNING, found=found, remedy=f"for a hub: {EXTRA}")]
    from cloud_hub.doctor_database import database_checks  # noqa: PLC0415 - needs the hub's libraries

    database = database_checks()
    needed = not any(check.name == "database" and check.state is State.OK for check in database)
    postgres = _embedded_postgres(quick=quick, needed=needed)
    return [_broker(), _connections(), postgres, *database, *_left_behind(), _training(quick=quick)]


def _broker() -> Check:
    from cloud_hub.parts.broker import NO_MOSQUITTO, find_mosquitto  # noqa: PLC0415 - needs the hub's libraries

    program = find_mosquitto()
    if program is None:
        return Check(name="broker", state=State.WARNING, found="no mosquitto", remedy=NO_MOSQUITTO)
    said = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10, check=False).stdout
    version = said.splitlines()[0] if said else "mosquitto of unknown version"
    if " version 2." not in version:
        remedy = "install mosquitto 2: its configuration differs from 1.x"
        return Check(name="broker", state=State.WARNING, found=f"{version} ({program})", remedy=remedy)
    return Check(name="broker", state=State.OK, found=f"{version} ({program})")


def _connections() -> Check:
    """Each device is an open file of the broker, which takes as many as this user may have at the most."""
    from firmware_configs.templates import MOST_DEVICES  # noqa: PLC0415 - belongs to the hub's side alone

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    system = int(Path("/proc/sys/fs/file-max").read_text()) if sys.platform == "linux" else MOST_DEVICES * 2
    return connections_check(most=most, system=system, devices=MOST_DEVICES)


def connections_check(*, most: int, system: int, devices: int) -> Check:
    """Whether a process that may open ``most`` files, of ``system`` in all, can serve ``devices``."""
    name, needed = "device connections", devices + SPARE_FILES
    unlimited = most == resource.RLIM_INFINITY
    if system < needed + SPARE_FILES:
        remedy = f"sysctl -w fs.file-max={2 * needed}, and the same in /etc/sysctl.d"
        return Check(name=name, state=State.WARNING, found=f"{system} files in all", remedy=remedy)
    if unlimited or most >= needed:
        return Check(name=name, state=State.OK, found=f"up to {devices} (open files: {most})")
    found = f"about {max(0, most - SPARE_FILES)} (open files: {most} at the most)"
    remedy = (
        f"for {devices} devices: LimitNOFILE={needed} in the hub's unit, or `ulimit -n {needed}` as root"
        " before `andon hub run`"
    )
    return Check(name=name, state=State.WARNING, found=found, remedy=remedy)


def _embedded_postgres(*, quick: bool, needed: bool) -> Check:
    """Required where no other database answers."""
    from cloud_hub.parts.errors import PartError  # noqa: PLC0415 - needs the hub's libraries
    from cloud_hub.parts.postgres_binaries import packaged, version  # noqa: PLC0415 - needs the hub's libraries

    name = "embedded PostgreSQL"
    try:
        packaged()
        found = f"PostgreSQL {version()}, {'not tried' if quick else _tried()}"
    except PartError as error:
        state = State.MISSING if needed else State.WARNING
        remedy = "name a database_url in hub.toml, or mend this"
        return Check(name=name, state=state, found=str(error), remedy=remedy, required=needed)
    return Check(name=name, state=State.OK, found=found, required=needed)


def _tried() -> str:
    """Start one with files of its own, ask it, stop it."""
    import psycopg  # noqa: PLC0415 - the hub's libraries may be missing

    from cloud_hub.parts.places import sweep  # noqa: PLC0415 - needs the hub's libraries
    from cloud_hub.parts.postgres import Postgres  # noqa: PLC0415 - needs the hub's libraries

    folder = Path(tempfile.mkdtemp(prefix="andon-"))
    server = Postgres(folder, settings={"fsync": "off", "shared_buffers": "16MB"}, ephemeral=True)
    try:
        with psycopg.connect(server.start()) as connection:
            connection.execute("SELECT 1")
        return "starts and answers here"
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        sweep()


def _left_behind() -> list[Check]:
    """What root's hubs kept outside of a state directory that is gone; only a person may delete it."""
    from cloud_hub.parts.places import orphans  # noqa: PLC0415 - needs the hub's libraries

    found = orphans()
    if not found:
        return []
    remedy = "the state directories they belonged to are gone: move those back, or rm -r these"
    names = ", ".join(map(str, found))
    return [Check(name="left-over databases", state=State.WARNING, found=names, remedy=remedy)]


def _training(*, quick: bool) -> Check:
    if importlib.util.find_spec("torch") is None:
        remedy = "pip install 'andon[train]' where models are trained"
        return Check(name="training", state=State.WARNING, found="PyTorch is not installed", remedy=remedy)
    if quick:
        return Check(name="training", state=State.OK, found=f"PyTorch {importlib.metadata.version('torch')}")
    works, said = ask_python(
        "import torch; where = 'CUDA' if torch.cuda.is_available() else 'the CPU';"
        "print('PyTorch', torch.__version__, 'on', where)"
    )
    return Check(name="training", state=State.OK if works else State.WARNING, found=said)
