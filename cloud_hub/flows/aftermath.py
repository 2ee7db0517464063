"""What goes on after a restore, in `andon hub work`: births are asked for, and forgotten directives found.

A device that accepted a directive which this database does not know would refuse
every older one. Where it runs what this hub wishes, the wish is signed again under
a higher number and nothing happens on the device. Where it runs something else,
nothing is sent: an incident says so until a rollout decides.
"""

import dataclasses
import json
import time
from datetime import timedelta

import structlog

from cloud_hub.flows.restored import SQL
from cloud_hub.hub import Hub
from cloud_hub.rollout.directing import announce
from cloud_hub.rollout.ports import Sign
from cloud_hub.rollout.selection import SQL as ROLLOUT
from cloud_hub.store.database import Connection, Row
from wire.clock import to_us
from wire.directive import Directive, SignedDirective
from wire.messages import Command

log = structlog.get_logger()

FORGOTTEN = "directive-forgotten"
FIRST_S, LONGEST_S = 5.0, 600.0  # between two requests for births: some devices never answer


class Aftermath:
    """Used by one thread at a time."""

    def __init__(self, hub: Hub, sign: Sign) -> None:
        self._hub = hub
        self._sign = sign
        self._due = 0.0
        self._wait = FIRST_S

    def tend(self) -> None:
        """Do what is due; costs two small queries where there is nothing to do."""
        with self._hub.database.transaction() as connection:
            connection.execute(SQL["lock"])  # other workers may be at it
            self._ask(connection)
            self._reconcile(connection)

    def _ask(self, connection: Connection) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        unheard = [row["name"] for row in connection.execute(SQL["unheard"])]
        if unheard:
            self._wait = min(self._wait * 2, LONGEST_S)
            log.info("asked for births after the restore", devices=len(unheard))
        self._due = now + self._wait
        for name in unheard:
            command = Command(kind="rebirth", id=f"restored-{time.time_ns():x}")
            payload = {"device": name, "command": json.loads(command.to_json())}
            connection.execute(SQL["ask"], {"command": json.dumps(payload)})

    def _reconcile(self, connection: Connection) -> None:
        told: dict[int, list[str]] = {}
        for row in connection.execute(SQL["forgotten"]).fetchall():
            if row["wished"] is not None and row["wished"] == row["running"]:
                self._restate(connection, row)
            else:
                told.setdefault(row["id"], []).append(_explain(row))
        now = self._hub.clock.now()
        for device, sentences in told.items():
            values = {"kind": FORGOTTEN, "device": device, "detail": "; ".join(sentences), "now": now}
            connection.execute(SQL["open_incident"], values)
        connection.execute(SQL["close_incidents"], {"kind": FORGOTTEN, "devices": list(told), "now": now})

    def _restate(self, connection: Connection, row: Row) -> None:
        """The same wish under a number above the one that the device accepted last."""
        now = self._hub.clock.now()
        old = Directive.from_json(SignedDirective.from_bytes(bytes(row["signed"])).payload)
        lifetime = timedelta(days=self._hub.config.directive_days)
        directive = dataclasses.replace(
            old,
            key_fingerprint=row["key_fingerprint"],
            sequence=max(row["accepted"] + 1, to_us(now) // 1000),
            issued_us=to_us(now),
            expires_us=to_us(now + lifetime),
        )
        about = {"use_case": row["use_case"], "rollout": directive.rollout, "mode": directive.mode}
        about |= {"now": now}
        columns = {
            "devices": [row["id"]],
            "sequences": [directive.sequence],
            "releases": [directive.release],
            "signed": [self._sign(directive).to_bytes()],
        }
        connection.execute(ROLLOUT["insert_directives"], about | columns)
        restated = {"id": row["id"], "previous": row["sequence"], "sequence": directive.sequence}
        restated |= {"fingerprint": row["key_fingerprint"], "lifetime": lifetime}
        connection.execute(SQL["restate"], about | restated)
        announce(connection, [row["name"]])
        log.info("a wish was signed again after the restore", device=row["name"], release=directive.release)


def _explain(row: Row) -> str:
    runs = row["running"] or "no release"
    unknown = "" if row["known"] or not row["running"] else ", which this hub does not have"
    wishes = f"this hub wishes {row['wished']}" if row["wished"] else "this hub wishes nothing of it"
    return (
        f"{row['use_case']}: it runs {runs}{unknown}, by a directive that the restored database does not "
        f"know; {wishes}: start a rollout to it"
    )
