"""Where the parts of one hub keep their files.

Below the state directory, as a rule. A part that root starts runs under another account, which usually
cannot enter the directories above; then its files lie under ``/var/lib/andon/parts/<instance>``. The
instance is drawn once and stands in the state directory: a state directory that was deleted and made anew
never meets the data of the old one, and a state directory that was moved still finds its own.
"""

import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from cloud_hub.parts.accounts import Account, private_directory

OUTSIDE = Path("/var/lib/andon/parts")
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes


class Places:
    def __init__(self, state_dir: Path, *, ephemeral: bool | None = False) -> None:
        """``ephemeral`` None leaves it as it was when these files were made."""
        self.state_dir = state_dir.resolve()
        self._inside = private_directory(self.state_dir / "parts", None)
        self._base = self._inside
        if os.geteuid() == 0:
            self._base = self._outside(ephemeral)

    def of(self, part: str, account: Account | None) -> Path:
        """The private directory of one part."""
        return private_directory(self._base / part, account)

    def log(self, part: str) -> Path:
        return fresh_log(self.state_dir, part)

    def socket_directory(self, account: Account | None) -> Path:
        """A private directory short enough for the path of a Unix socket in it."""
        direct = self._base / "socket"
        if len(os.fsencode(direct / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            return private_directory(direct, account)
        note = self._inside / "socket-directory"
        if note.exists() and _is_ours(Path(note.read_text())):
            return Path(note.read_text())
        made = Path(tempfile.mkdtemp(prefix="andon-"))
        note.write_text(str(made))
        return private_directory(made, account)

    def _outside(self, ephemeral: bool | None) -> Path:
        note = self._inside / "instance"
        if not note.exists():
            note.write_text(secrets.token_hex(8))
        base = OUTSIDE / note.read_text().strip()
        passable(base)
        if ephemeral is None:
            ephemeral = bool(_owner(base).get("ephemeral"))
        owner = {"state_dir": str(self.state_dir), "ephemeral": ephemeral}
        (base / "owner.json").write_text(json.dumps(owner))
        return base


def log_of(state_dir: Path, name: str) -> Path:
    return state_dir / "log" / f"{name}.log"


def fresh_log(state_dir: Path, name: str) -> Path:
    """The log of a process that is about to start; the log of the run before it is kept beside it."""
    path = log_of(state_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    return path


def orphans() -> list[Path]:
    """Directories outside whose state directory is gone: nobody will start them again. Only root has any."""
    if os.geteuid() != 0:
        return []
    return [owner.parent for owner in sorted(OUTSIDE.glob("*/owner.json")) if _abandoned(owner.parent)]


def sweep() -> list[Path]:
    """Delete the orphans that were marked ephemeral when they were made (demos, tests); never any other."""
    swept = [orphan for orphan in orphans() if _owner(orphan).get("ephemeral") and not in_use(orphan)]
    for orphan in swept:
        shutil.rmtree(orphan, ignore_errors=True)
    return swept


def in_use(directory: Path) -> list[int]:
    """Processes that stand in ``directory``, as a PostgreSQL server and its children do in their data."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            standing = (process / "cwd").readlink()
        except OSError:  # gone meanwhile, or not ours to look at
            continue
        if standing.is_relative_to(directory):
            found.append(int(process.name))
    return found


def passable(directory: Path) -> None:
    """Make ``directory`` so that another account can reach what is given to it below, whatever the umask."""
    for level in (OUTSIDE.parent, OUTSIDE, directory):
        if not level.exists():
            level.mkdir(parents=True, exist_ok=True)
            level.chmod(0o755)


def _owner(directory: Path) -> dict[str, object]:
    try:
        return dict(json.loads((directory / "owner.json").read_text()))
    except (OSError, ValueError):
        return {}


def _abandoned(directory: Path) -> bool:
    state_dir = _owner(directory).get("state_dir")
    if not isinstance(state_dir, str):
        return False
    note = Path(state_dir) / "parts" / "instance"
    return not note.exists() or note.read_text().strip() != directory.name


def _is_ours(directory: Path) -> bool:
    """A directory below /tmp that somebody else made in our place is not to be trusted."""
    return directory.is_dir() and not directory.is_symlink() and directory.stat().st_uid == os.geteuid()
