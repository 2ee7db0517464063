"""The signal tables this device has used: batches still queued may refer to an older one than today's."""

from collections.abc import Mapping

from wire.table import SignalTable

CURRENT = "table"
EMPTY = SignalTable(machines=(), signals=())


class KnownTables:
    """Kept in the outbox's states; before the first source was heard, the current table is empty."""

    def __init__(self, saved: Mapping[str, bytes]) -> None:
        prefix = f"{CURRENT}/"
        bodies = {name.removeprefix(prefix): body for name, body in saved.items() if name.startswith(prefix)}
        self._tables = {digest: SignalTable.from_json(body) for digest, body in bodies.items()}
        current = saved.get(CURRENT, b"").decode()
        self._set(self._tables.get(current, EMPTY))

    @property
    def current(self) -> SignalTable:
        return self._current

    @property
    def hash(self) -> bytes:
        """Of the current table."""
        return self._hash

    @property
    def known(self) -> bool:
        """Whether a source has ever told its table."""
        return self._current is not EMPTY

    def older(self) -> tuple[SignalTable, ...]:
        return tuple(table for digest, table in self._tables.items() if digest != self._hash.hex())

    def adopt(self, table: SignalTable) -> dict[str, bytes]:
        """``table`` is the current one from now on; the states to store."""
        self._set(table)
        self._tables[self._hash.hex()] = table
        return {CURRENT: self._hash.hex().encode(), f"{CURRENT}/{self._hash.hex()}": table.to_json()}

    def _set(self, table: SignalTable) -> None:
        self._current = table
        self._hash = table.hash
