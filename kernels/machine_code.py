"""Where the machine code of the kernels lies between starts, and that it is theirs.

A start that finds it computes its first features at once instead of compiling for
seconds. Numba itself looks only at the file of the function it compiled, not at the files
which that one calls, and trusts what it reads. So there is a folder for each text of this
package (with Numba's version and the processor), and a seal in it: a file that is not as
it was sealed, or that nobody sealed, as after a power failure, is deleted and compiled anew.
"""

import atexit
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import llvmlite
import numba
from llvmlite import binding
from numba.core import config
from numba.misc.appdirs import AppDirs

from kernels.errors import KernelInputError

SEAL = "sealed.json"
OTHERS = 3  # folders of other texts that stay, as one goes back to them
_PREFIX = "kernels-"
_HERE = Path(__file__).parent
_APART = "cuda*.py"  # what runs on a GPU is kept elsewhere

_chosen: list[Path | None] = []  # once, before the first function is compiled
_read: dict[Path, tuple[tuple[int, int], str]] = {}  # when a file was written, and its SHA-256


def keep_in(parent: Path) -> None:
    """Keep machine code in a folder of ``parent``, such as an agent's state directory.

    Call it before any other module of this package is imported: KernelInputError afterwards.
    Where ``parent`` cannot be written to, it is kept where ``folder`` would keep it without this call.
    """
    if _chosen:
        raise KernelInputError("folder for machine code", parent, f"nothing after {_chosen[0]} was chosen")
    _choose((parent, *_defaults()))


def folder() -> Path | None:
    """Where machine code is kept; None: nowhere, so each start compiles.

    Without ``keep_in``: in the folder of ``NUMBA_CACHE_DIR``, beside the sources, or in the user's
    cache, whichever can be written to first.
    """
    if not _chosen:
        _choose(_defaults())
    return _chosen[0]


@contextmanager
def kept() -> Iterator[bool]:
    """Within, a function given to Numba has its cache in ``folder()``, if there is one."""
    before, own = config.CACHE_DIR, folder()
    config.CACHE_DIR = str(own or "")
    try:
        yield own is not None
    finally:
        config.CACHE_DIR = before


@atexit.register
def seal() -> None:
    """What Numba wrote into ``folder()`` is sound: say so when it has proved itself, or served to the end.

    A file that nobody has written since it was found sound keeps its sum: whatever a disk has made of it
    meanwhile, the next start deletes it.
    """
    own = _chosen[0] if _chosen else None
    if own is None:
        return
    new = own / f"{SEAL}.{os.getpid()}"
    try:
        new.write_text(json.dumps(_sums(own)), "utf-8")
        new.replace(own / SEAL)
    except OSError:  # a disk that has filled up: the next start compiles
        with suppress(OSError):
            new.unlink(missing_ok=True)


def _defaults() -> tuple[Path, ...]:
    named = (Path(config.CACHE_DIR),) if config.CACHE_DIR else ()
    return (*named, _HERE / "__pycache__", Path(AppDirs("andon", appauthor=False).user_cache_dir))


def _choose(parents: Iterable[Path]) -> None:
    opened = (_open(parent) for parent in parents)
    _chosen.append(next((own for own in opened if own is not None), None))


def _open(parent: Path) -> Path | None:
    own = parent / f"{_PREFIX}{_text()}"
    try:
        own.mkdir(parents=True, exist_ok=True)
        _delete_unsealed(own)
    except OSError:
        return None
    with suppress(OSError):  # another process deletes the same
        _delete_old(parent, own)
    return own if os.access(own, os.W_OK) else None


def _delete_old(parent: Path, own: Path) -> None:
    others = [other for other in parent.glob(f"{_PREFIX}*") if other != own]
    for other in sorted(others, key=lambda folder: folder.stat().st_mtime)[:-OTHERS]:
        shutil.rmtree(other, ignore_errors=True)


def _delete_unsealed(own: Path) -> None:
    try:
        sealed = dict(json.loads((own / SEAL).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        sealed = {}
    for name, digest in _sums(own).items():
        if sealed.get(name) != digest:
            (own / name).unlink(missing_ok=True)


def _sums(own: Path) -> dict[str, str]:
    """SHA-256 of each file of machine code, by its path within ``own``."""
    found = {}
    for file in sorted(own.rglob("*.nb[ci]")):
        with suppress(FileNotFoundError):  # another process that starts now has deleted it
            written, (before, digest) = _written(file), _read.get(file, (None, ""))
            if written != before:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                _read[file] = written, digest
            found[file.relative_to(own).as_posix()] = digest
    return found


def _written(file: Path) -> tuple[int, int]:
    """Numba replaces a file when it writes it: another inode, another time."""
    told = file.stat()
    return told.st_ino, told.st_mtime_ns


@cache
def _text() -> str:
    """Names what machine code depends on: this package's text, the compiler, the processor."""
    digest = hashlib.sha256()
    for file in sorted(file for file in _HERE.glob("*.py") if not file.match(_APART)):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    processor = (binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten())
    digest.update(repr((sys.version, numba.__version__, llvmlite.__version__, processor)).encode())
    return digest.hexdigest()[:16]
