"""Labels: what people and maintenance systems say happened to a machine.

They never pass through a device. The same label may be imported any number of
times and is kept once; a file with one unknown machine is refused whole, so that
a spelling mistake cannot silently turn a failure into a machine that lived on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cloud_hub.errors import ConflictError, NotFoundError
from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.store", "labels.sql")
KINDS = ("failure", "maintenance", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabel:
    machine: str
    kind: str  # one of KINDS
    time: datetime  # aware
    detail: dict[str, Any] = field(default_factory=dict)


def insert(database: Database, labels: Sequence[NewLabel], *, source: str, added: datetime) -> int:
    """Keep ``labels``; returns how many were new.

    Raises ``NotFoundError`` for an unknown machine, ``ConflictError`` for an unknown kind.
    """
    for label in labels:
        if label.kind not in KINDS:
            raise ConflictError(f"expected a label of kind {', '.join(KINDS)}, got {label.kind!r}")
    with database.transaction() as connection:
        names = sorted({label.machine for label in labels})
        known = {row["name"]: row["id"] for row in connection.execute(QUERIES["machines"], {"names": names})}
        for name in names:
            if name not in known:
                raise NotFoundError("machine", name)
        rows = [
            {
                "machine": known[label.machine],
                "time": label.time,
                "kind": label.kind,
                "detail": Jsonb(label.detail),
                "source": source,
                "added": added,
            }
            for label in labels
        ]
        with connection.cursor() as cursor:
            cursor.executemany(QUERIES["insert"], rows)
            return max(cursor.rowcount, 0)
