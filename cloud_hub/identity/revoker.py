"""Telling the broker whom the hub no longer trusts: the list first, then the end of live sessions.

A broker that reads a new list refuses the next handshake and leaves who is
connected alone (measured with mosquitto 2.0.11). So a session is cut once the broker
refuses a probe: a certificate made for the purpose and revoked in the same list.
What is revoked and not cut stands in the database, so a restart forgets nothing.

A broker that does not heed the list, one of the operator's own perhaps, is told of
in the log, and a retired device's session is cut again at every look.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog
from cryptography import x509

from cloud_hub.errors import HubError
from cloud_hub.identity.ca import Authority, serial
from cloud_hub.identity.door import LIFETIME, Door
from cloud_hub.identity.revoked_list import RevokedList
from cloud_hub.identity.revoking import REVOKED
from cloud_hub.identity.tokens import QUERIES
from cloud_hub.store.database import Connection, Database

PROBE = "Andon revocation probe"  # no name that a device can have
LOOK_S = 30.0  # without a notice
HEED_S = 8.0  # for a broker to take a new list
AGAIN_S = 0.2
RETRY_S = 2.0

log = structlog.get_logger()


class Revoker:
    """A thread beside the process that holds the authority's key; ``turn`` is what it does each time."""

    def __init__(
        self,
        database: Database,
        authority: Authority,
        door: Callable[[], Door | None],
        *,
        heed_s: float = HEED_S,
    ) -> None:
        """``door``: where the broker is now; None for one that knows no certificates."""
        self._database = database
        self._authority = authority
        self._list = RevokedList(authority)
        self._door = door
        self._heed_s = heed_s
        self._told = ""  # the trouble that was logged last
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="revoker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def turn(self) -> None:
        """Bring the list up to date, and cut the sessions that rest on what was revoked."""
        uncut = self._database.rows(QUERIES["uncut"])
        door = self._door() if uncut else None
        if door is None:
            self._list.follow(self._database)
            return
        heeded = self._is_heeded(door)
        for device in uncut:
            if heeded or device["retired"]:
                door.cut(self._authority, device["name"], for_good=device["retired"])
                log.info("session cut", device=device["name"], for_good=heeded)
            if heeded:
                values = {"serials": device["serials"], "now": datetime.now(UTC)}
                self._database.execute(QUERIES["cut"], values)
        if heeded:
            self._told = ""
        else:
            self._tell(f"the broker does not heed {self._list.file}: give it that file as its crlfile")

    def _is_heeded(self, door: Door) -> bool:
        """Whether the broker took the list as it is now, within its time."""
        probe = self._authority.issue_client(PROBE, lifetime=LIFETIME)
        self._list.include(self._database, serial(x509.load_pem_x509_certificate(probe.certificate)))
        deadline = time.monotonic() + self._heed_s
        while not self._stopping.is_set() and time.monotonic() < deadline:
            if door.refuses(self._authority, probe):
                return True
            self._stopping.wait(AGAIN_S)
        return False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.connect() as connection:
                    self._listen(connection)
            except (psycopg.Error, HubError) as error:
                self._tell(str(error))
                self._stopping.wait(RETRY_S)

    def _listen(self, connection: Connection) -> None:
        connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(REVOKED)))
        while not self._stopping.is_set():
            self.turn()
            due = time.monotonic() + LOOK_S
            while not self._stopping.is_set() and time.monotonic() < due:
                if list(connection.notifies(timeout=0.5, stop_after=1)):
                    break

    def _tell(self, trouble: str) -> None:
        """Log a trouble once, however often it is met."""
        if trouble != self._told:
            log.warning("revocations wait", reason=trouble)
        self._told = trouble
