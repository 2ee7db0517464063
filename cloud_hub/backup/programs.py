"""pg_dump and pg_restore: one that fits the server, started so that no password stands in an argument list.

A dump must be taken by a pg_dump at least as new as the server, and read by a
pg_restore at least as new as that pg_dump. The oldest that will do is taken: a
much newer one may say things that the server does not know.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cloud_hub.errors import BackupError

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
TALKATIVE = 17  # from here on they set a parameter that older servers do not know
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    path: Path
    major: int  # PostgreSQL's

    def understood_by(self, server: int) -> bool:
        """Whether what it says to a server of that version is understood there."""
        return self.major < TALKATIVE or server >= TALKATIVE


def find(name: str, *, least: int, folders: Iterable[Path] = ()) -> Program:
    """The oldest program ``name`` of PostgreSQL ``least`` or newer; ``folders`` are looked into as well."""
    found = {program.path: program for program in map(_asked, _candidates(name, folders)) if program}
    fitting = sorted((each for each in found.values() if each.major >= least), key=lambda each: each.major)
    if fitting:
        return fitting[0]
    known = ", ".join(sorted(f"{each.path} {each.major}" for each in found.values())) or "none"
    raise BackupError(
        f"expected {name} of PostgreSQL {least} or newer, found {known}: install postgresql-client-{least}"
    )


def run(program: Program, arguments: Sequence[str | Path], conninfo: str) -> None:
    """Run ``program`` on the database; ``BackupError`` with its own words where it fails."""
    target, secret = without_password(conninfo)
    command = [program.path, "--no-password", f"--dbname={target}", *arguments]
    done = subprocess.run(
        [os.fspath(part) for part in command],
        env=os.environ | secret | {"LC_MESSAGES": "C", "PGCONNECT_TIMEOUT": "10"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise BackupError(_words(program, done.stderr.decode(errors="replace"), done.returncode))


def without_password(conninfo: str) -> tuple[str, dict[str, str]]:
    """The connection string that may stand in an argument list, and the environment with what may not."""
    parts = dict(conninfo_to_dict(conninfo))
    if parts.get("sslpassword"):
        raise BackupError(
            "database_url has an sslpassword, which pg_dump takes from nowhere but its arguments"
        )
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def _candidates(name: str, folders: Iterable[Path]) -> list[Path]:
    places = [place / name for pattern in PLACES for place in Path("/").glob(pattern.lstrip("/"))]
    on_path = shutil.which(name)
    return [*([Path(on_path)] if on_path else []), *places, *(folder / name for folder in folders)]


def _asked(path: Path) -> Program | None:
    """What ``path`` says it is; None where there is nothing that can be run."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(said.stdout)
    return Program(path=path, major=int(match[1])) if match else None


def _words(program: Program, said: str, status: int) -> str:
    lines = [" ".join(line.split()) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line] or lines
    return "; ".join(telling[:2]) or f"{program.path.name} ended with status {status} and said nothing"
