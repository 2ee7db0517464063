"""Directives on their way when the director's key was replaced are signed again, byte for byte as they are.

A directive is its bytes. Under another signature it is the same one to a device: one
that accepted it takes it for a repetition, one that refused the old key follows it now.
So nobody is stranded by a new key, and no device does anything twice.
"""

import structlog

from cloud_hub.hub import Hub
from cloud_hub.rollout.directing import announce
from cloud_hub.signing.director import Director
from cloud_hub.store.database import Connection, Row, load_queries
from wire.directive import SignedDirective

SQL = load_queries("cloud_hub.flows", "resigned.sql")

log = structlog.get_logger()


class Resigner:
    """Used by one thread at a time; looks at the directives when it is new, and when the key is.

    Both times twice: what was being signed by the key before may come into the database after a first look.
    """

    def __init__(self, hub: Hub, director: Director) -> None:
        self._hub = hub
        self._director = director
        self._looked_for = ""
        self._done_for = ""

    def tend(self) -> None:
        """Sign again what devices have not accepted and another key has signed; a hub may have no keys."""
        key_id = self._director.key_id if self._director.founded else ""
        if key_id == self._done_for:
            return
        with self._hub.database.transaction() as connection:
            rows = connection.execute(SQL["waiting"]).fetchall()
            stale = [(row, found) for row, found in map(_parsed, rows) if found.key_id != key_id]
            if stale:
                self._sign_again(connection, stale)
        self._done_for, self._looked_for = (key_id if self._looked_for == key_id else ""), key_id

    def _sign_again(self, connection: Connection, stale: list[tuple[Row, SignedDirective]]) -> None:
        signed = self._director.sign_payloads([found.payload for _, found in stale])
        columns = {
            "devices": [row["device"] for row, _ in stale],
            "use_cases": [row["use_case"] for row, _ in stale],
            "sequences": [row["sequence"] for row, _ in stale],
            "signed": [each.to_bytes() for each in signed],
        }
        connection.execute(SQL["resign"], columns)
        announce(connection, sorted({row["name"] for row, _ in stale}))
        log.info("directives were signed again by the director's new key", directives=len(stale))


def _parsed(row: Row) -> tuple[Row, SignedDirective]:
    return row, SignedDirective.from_bytes(bytes(row["signed"]))
