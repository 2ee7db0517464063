"""The registry: every version of every model, whatever became of it.

A version is never changed and never reused. Its network is kept by content, as
ONNX and nothing else, and checked against its hash whenever it is read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.files import write_public
from cloud_hub.registry.manifests import numbered
from cloud_hub.store.database import Connection, Database, Row, load_queries
from wire.clock import Clock
from wire.manifest import Manifest

SQL = load_queries("cloud_hub.registry")
FOLDER = "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    use_case: str
    version: int
    release: str  # "<use case>/<version>"
    run: str
    state: str  # candidate, refused, approved, released; removed: its files are gone
    onnx_path: str  # below the artifact root
    onnx_sha256: str
    manifest: Manifest
    gate: Mapping[str, Any]  # the verdict with its evidence
    bundle_path: str | None
    bundle_sha256: str | None
    created: datetime
    released: datetime | None
    removed: datetime | None

    @classmethod
    def from_row(cls, row: Row) -> Self:
        known = {name: row[name] for name in cls.__slots__}
        return cls(**known | {"manifest": Manifest.from_json(json.dumps(row["manifest"]).encode())})


@dataclass(frozen=True, slots=True)
class Registry:
    database: Database
    artifacts: Path
    clock: Clock

    def register(
        self, connection: Connection, *, run: str, onnx: bytes, manifest: Manifest, gate: Mapping[str, Any]
    ) -> str:
        """Give ``onnx`` the next version of its use case, in the caller's transaction; returns the release.

        ``manifest`` comes without a version; ``gate`` is the verdict, whose ``passed``
        decides between candidate and refused. A run registers one model, once.
        """
        use_case = manifest.use_case
        connection.execute(SQL["lock"], {"use_case": use_case})
        if known := connection.execute(SQL["of_run"], {"run": run}).fetchone():
            raise ConflictError(f"run {run} has registered {known['release']} already")
        counted = connection.execute(SQL["next_version"], {"use_case": use_case}).fetchone()
        assert counted is not None
        manifest = numbered(manifest, counted["version"])
        row = {
            "use_case": use_case,
            "version": manifest.version,
            "release": manifest.release,
            "run": run,
            "state": "candidate" if gate["passed"] else "refused",
            "onnx_path": self._keep(use_case, onnx),
            "onnx_sha256": hashlib.sha256(onnx).hexdigest(),
            "manifest": Jsonb(json.loads(manifest.to_json())),
            "gate": Jsonb(dict(gate)),
            "created": self.clock.now(),
        }
        connection.execute(SQL["insert"], row)
        if gate["passed"]:
            alias = {"use_case": use_case, "name": "candidate", "version": manifest.version}
            connection.execute(SQL["set_alias"], alias)
        return manifest.release

    def get(self, release: str) -> Model:
        row = self.database.row(SQL["one"], {"release": release})
        if row is None:
            raise NotFoundError("release", release)
        return Model.from_row(row)

    def aliased(self, use_case: str, name: str) -> Model | None:
        """The model an alias ('champion' or 'candidate') stands for."""
        row = self.database.row(SQL["aliased"], {"use_case": use_case, "name": name})
        return None if row is None else Model.from_row(row)

    def onnx(self, model: Model) -> bytes:
        """The network of ``model``; ConflictError where its file is gone, or not what was registered."""
        if model.removed is not None:
            raise ConflictError(
                f"the files of {model.release} were removed on {model.removed:%Y-%m-%d} to make room"
            )
        path = self.artifacts / model.onnx_path
        try:
            payload = path.read_bytes()
        except OSError as error:
            raise ConflictError(
                f"the network of {model.release} cannot be read: {error}: restore {path}"
            ) from error
        found = hashlib.sha256(payload).hexdigest()
        if found != model.onnx_sha256:
            raise ConflictError(
                f"{path}: expected SHA-256 {model.onnx_sha256[:12]}, got {found[:12]}: restore it"
            )
        return payload

    def learning(self, model: Model) -> frozenset[str]:
        """The machines that ``model`` learnt from; of a network made elsewhere those that it may have.

        Where nobody said which, those are all that its dataset had.
        """
        row = self.database.row(SQL["run"], {"run": model.run})
        metrics = row["metrics"] if row else {}
        unsaid = metrics.get("made_elsewhere") and metrics.get("learnt_from") is None
        return frozenset(metrics.get("learning", ())) | frozenset(
            metrics.get("held_out", ()) if unsaid else ()
        )

    def _keep(self, use_case: str, onnx: bytes) -> str:
        place = f"{FOLDER}/{use_case}/{hashlib.sha256(onnx).hexdigest()}.onnx"
        path = self.artifacts / place
        path.parent.mkdir(parents=True, exist_ok=True)
        write_public(path, onnx)
        return place
