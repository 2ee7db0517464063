"""What a batch refers to: signal tables and releases, read once and remembered, for neither ever changes."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cloud_hub.ingest.judge import KnownTable
from cloud_hub.store.database import Connection, Row, load_queries
from wire.batch import Batch, BatchClass
from wire.table import SignalKind, SignalTable

QUERIES = load_queries("cloud_hub.ingest", "tables.sql")
MOST = 20_000  # tables remembered; a fleet has about one a device

TableKey = tuple[int, bytes]  # device, hash


class Tables:
    """The tables and releases this process has met. Used by one thread."""

    def __init__(self) -> None:
        self._tables: dict[TableKey, KnownTable] = {}
        self._releases: set[str] = set()

    def load(self, connection: Connection, wanted: Iterable[TableKey]) -> Mapping[TableKey, KnownTable]:
        """Those of ``wanted`` that have come in a birth."""
        wanted = set(wanted)
        missing = sorted(wanted - self._tables.keys())
        if missing:
            if len(self._tables) + len(missing) > MOST:
                self._tables.clear()
                missing = sorted(wanted)
            values = {"devices": [device for device, _ in missing], "hashes": [item for _, item in missing]}
            for row in connection.execute(QUERIES["tables"], values):
                self._tables[row["device"], bytes(row["hash"])] = _known(row)
        return {key: self._tables[key] for key in wanted if key in self._tables}

    def learn_widths(self, connection: Connection, batches: Sequence[tuple[TableKey, Batch]]) -> None:
        """The first feature row of a machine says how wide the others under the same table are."""
        first: dict[tuple[TableKey, int], int] = {}
        for key, batch in batches:
            table = self._tables.get(key)
            if table is None or batch.batch_class is not BatchClass.FEATURE:
                continue
            for rows in batch.rows:
                if rows.machine < len(table.widths) and not table.widths[rows.machine]:
                    first.setdefault((key, rows.machine), rows.values.shape[1])
        for (key, machine), width in sorted(first.items()):
            values = {"device": key[0], "hash": key[1], "at": machine + 1, "width": width}
            connection.execute(QUERIES["learn_width"], values)
        for key in {key for key, _ in first}:
            del self._tables[key]
        self.load(connection, {key for key, _ in first})

    def releases(self, connection: Connection, batches: Iterable[Batch]) -> frozenset[str]:
        """The releases known, those that ``batches`` name among them."""
        named = {
            rows.source
            for batch in batches
            if batch.batch_class is BatchClass.PREDICTION
            for rows in batch.rows
        }
        if unknown := sorted(name for name in named - self._releases if "\0" not in name):
            rows = connection.execute(QUERIES["releases"], {"names": unknown})
            self._releases |= {row["release"] for row in rows}
        return frozenset(self._releases)

    def forget(self) -> None:
        """Read everything again: a transaction that taught something was undone."""
        self._tables.clear()
        self._releases.clear()


def _known(row: Row) -> KnownTable:
    table = SignalTable.from_fields(row["body"])
    machines = np.array(row["machines"], np.int32)
    return KnownTable(
        machines=machines,
        signals=np.array(row["signals"], np.int32),
        scalar=np.array([signal.kind is SignalKind.SCALAR for signal in table.signals], np.bool_),
        owners=machines[np.array([signal.machine for signal in table.signals], np.intp)],
        rates=np.array([signal.rate_hz for signal in table.signals], np.float64),
        feature_sets=tuple(machine.feature_set for machine in table.machines),
        widths=tuple(width or 0 for width in [*row["widths"], *[0] * len(table.machines)]),
    )
