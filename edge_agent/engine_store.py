"""Engines on this device's disk: shared ones as they were signed, and plans that it compiled for itself.

A plan runs as code, so nothing here is believed for lying here: the bytes must have the hash they
had when they came, and the key that is asked for. What is damaged or foreign is named, removed and
had again. Plans compiled here are for this GPU alone; nothing offers them to anybody.

    engines/<use case>/<engine's name>.<sha256>    the file that was signed
    engines/<use case>/<version>.<digest>.own      compiled here: its key, its GPU, its hash; then the plan
    engines/<use case>/<version>.<digest>.refused  why a signed plan does not do on this GPU
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge_agent.engine_facts import EngineFacts, keys
from edge_agent.errors import InferenceError
from wire.bundle import Bundle, file_sha256
from wire.engine import Engine, EngineKey, check_key, read_engine
from wire.errors import EngineError

if TYPE_CHECKING:  # the updates use this store
    from edge_agent.updates.disk import Disk

KEPT = 4  # of a release, of each kind: precisions, and the library's version before an upgrade
OWN, REFUSED = ".own", ".refused"
LONGEST_HEADER = 1 << 16

log = structlog.get_logger()


class EngineStore:
    """In ``state_dir/engines``. Any thread may use it: files come whole by a rename and are never changed."""

    def __init__(self, state_dir: Path, disk: "Disk") -> None:
        self._folder = state_dir / "engines"
        self._disk = disk

    def find(self, bundle: Bundle, facts: EngineFacts) -> Engine | None:
        """The best shared engine of ``bundle`` that was fetched and fits ``facts``."""
        found = (self._shared(key) for key in keys(bundle, facts))
        return next((engine for engine in found if engine is not None), None)

    def place(self, key: EngineKey, sha256: str) -> Path:
        """Where the shared engine of ``key`` is to be brought, signed with this hash."""
        folder = self._folder / key.use_case
        self._disk.ensure_folder(folder)
        return folder / f"{_leaf(key)}.{sha256}"

    def withdraw(self, key: EngineKey, sha256: str = "") -> bool:
        """Remove shared engines of ``key`` other than the one signed with this hash; whether any was here."""
        gone = [path for path in self._files(key) if path.suffix != f".{sha256}"]
        for path in gone:
            self._ignore(path, "nobody vouches for it any more")
        return bool(gone)

    def admit(self, key: EngineKey, file: Path) -> None:
        """Look into ``file``, just fetched; ``EngineError``, and it is gone, where it is another engine."""
        try:
            check_key(key, read_engine(file).manifest.key)
        except EngineError:
            self._disk.remove(file)
            raise
        self._trim([path for path in self._of(key) if path.suffix not in (OWN, REFUSED)])

    def local(self, key: EngineKey, gpu: str) -> bytes | None:
        """The plan that this device compiled for ``key`` on ``gpu``, whatever identifies its GPU."""
        path = self._own(key, gpu)
        try:
            with path.open("rb") as file:  # a plan may be large, so none is in memory twice
                header, plan = file.readline(LONGEST_HEADER).removesuffix(b"\n"), file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._ignore(path, str(error))
            return None
        if header != _header(key, gpu, plan):
            self._ignore(path, "it is not what was written: damaged, or of another engine")
            return None
        return plan

    def put_local(self, key: EngineKey, gpu: str, plan: bytes) -> None:
        """Keep ``plan``; afterwards, and after any crash, it is there whole or not at all.

        ``InferenceError`` where the disk does not take it; what was written then makes room.
        """
        path = self._own(key, gpu)
        try:
            self._disk.ensure_folder(path.parent)
            self._disk.write(path, _header(key, gpu, plan) + b"\n" + plan)
        except OSError as error:
            self._remove(path.with_name(f"{path.name}.new"))
            raise InferenceError(f"its engine cannot be kept in {path.parent}: {error}") from error
        self._trim([found for found in self._of(key) if found.suffix == OWN])

    def refused(self, key: EngineKey, gpu: str, plan: bytes) -> str:
        """Why this signed ``plan`` does not do on ``gpu``; empty where nothing is known against it."""
        try:
            return self._noted(key, gpu, plan, REFUSED).read_text()
        except (OSError, ValueError):
            return ""

    def refuse(self, key: EngineKey, gpu: str, plan: bytes, reason: str) -> None:
        """Remember ``reason``; a disk that does not take it has the plan tried again."""
        path = self._noted(key, gpu, plan, REFUSED)
        try:
            self._disk.write(path, reason.encode())
        except OSError as error:
            log.warning("refusal not kept", file=path.name, reason=str(error))
            self._remove(path.with_name(f"{path.name}.new"))
        self._trim([found for found in self._of(key) if found.suffix == REFUSED])

    def keep(self, use_case: str, releases: Iterable[str]) -> None:
        """Remove what belongs to no release of ``releases``, such as ``motor-health/3``."""
        kept = set(releases)
        for path in self._listed(use_case):
            if f"{use_case}/{path.name.partition('.')[0]}" not in kept:
                self._remove(path)

    def _shared(self, key: EngineKey) -> Engine | None:
        for path in self._files(key):
            try:
                if file_sha256(path) != path.suffix[1:]:
                    raise EngineError("it no longer has the hash that was signed")
                engine = read_engine(path)
                check_key(key, engine.manifest.key)
            except (EngineError, OSError) as error:
                self._ignore(path, str(error))
            else:
                return engine
        return None

    def _files(self, key: EngineKey) -> list[Path]:
        """Whole files of this name; one still on its way has a longer one."""
        return [path for path in self._listed(key.use_case) if path.stem == _leaf(key)]

    def _of(self, key: EngineKey) -> list[Path]:
        """What lies here of the release of ``key``."""
        return [path for path in self._listed(key.use_case) if path.name.startswith(f"{key.version}.")]

    def _listed(self, use_case: str) -> list[Path]:
        return sorted((self._folder / use_case).glob("*"))

    def _own(self, key: EngineKey, gpu: str) -> Path:
        return self._noted(key, gpu, b"", OWN)

    def _noted(self, key: EngineKey, gpu: str, plan: bytes, kind: str) -> Path:
        digest = hashlib.sha256(_header(key, gpu, plan)).hexdigest()[:32]
        return self._folder / key.use_case / f"{key.version}.{digest}{kind}"

    def _trim(self, found: list[Path]) -> None:
        """Remove the oldest of ``found``, so that ``KEPT`` stay."""
        for path in sorted(found, key=_written)[:-KEPT]:
            self._remove(path)

    def _ignore(self, path: Path, reason: str) -> None:
        log.warning("engine not used", file=path.name, reason=reason)
        self._remove(path)

    def _remove(self, path: Path) -> None:
        """A disk that lets nothing be removed stops nothing else; what is damaged is never believed."""
        try:
            self._disk.unlink(path)
        except OSError as error:
            log.warning("engine not removed", file=path.name, reason=str(error))


def _leaf(key: EngineKey) -> str:
    return key.name.rpartition("/")[2]


def _written(path: Path) -> int:
    """When, in nanoseconds; long ago where another thread has just removed it."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _header(key: EngineKey, gpu: str, plan: bytes) -> bytes:
    fields = {"key": asdict(key), "gpu": gpu, "sha256": hashlib.sha256(plan).hexdigest()}
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
