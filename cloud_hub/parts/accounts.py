"""The system account a part runs under.

PostgreSQL refuses to run as root, and a broker has no business to. Started by root, each part gets an
account of its own, so that neither can read the other's files; started by anybody else, a part runs as
that person.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud_hub.parts.errors import PartError


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    name: str
    uid: int
    gid: int


def account_for(part: str) -> Account | None:
    """The account ``andon-<part>`` when root starts it (made if missing), else None: run as who you are."""
    if os.geteuid() != 0:
        return None
    name = f"andon-{part}"
    found = _find(name) or _make(name)
    return Account(name=name, uid=found.pw_uid, gid=found.pw_gid)


def own(path: Path, account: Account | None) -> None:
    """Give ``path`` to the account; nothing to do when there is none."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def private_directory(path: Path, account: Account | None) -> Path:
    """A directory that only the account (and root) may enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    own(path, account)
    path.chmod(0o700)
    return path


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _make(name: str) -> pwd.struct_passwd:
    """Two hubs may start at once: what counts is that the account is there afterwards."""
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise PartError(
            f"no account {name!r} and no useradd to make it: create it, or start the hub as another user"
        )
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    done = subprocess.run(
        [*command, "--shell", "/usr/sbin/nologin", name], capture_output=True, text=True, check=False
    )
    found = _find(name)
    if found is None:
        raise PartError(f"account {name!r} could not be made: {done.stderr.strip()}")
    return found
