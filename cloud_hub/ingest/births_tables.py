"""The signal table of a birth: kept as it came, and its machines and signals given the hub's ids."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from psycopg.types.json import Jsonb

from cloud_hub.store.database import Connection, load_queries
from wire.errors import MessageError
from wire.table import SignalTable

QUERIES = load_queries("cloud_hub.ingest", "births.sql")


class MachineTakenError(MessageError):
    """Another device has a machine of this name."""


def keep_table(connection: Connection, device: int, table: SignalTable, now: datetime) -> None:
    """Keep a table that was not known; ``MachineTakenError`` where it claims another device's machine."""
    machines = _keep_machines(connection, device, table, now)
    signals = _keep_signals(connection, table, machines)
    values = {
        "device": device,
        "hash": table.hash,
        "body": Jsonb(table.to_fields()),
        "machines": machines,
        "signals": signals,
        "now": now,
    }
    connection.execute(QUERIES["keep_table"], values)


def _keep_machines(connection: Connection, device: int, table: SignalTable, now: datetime) -> list[int]:
    """The hub's ids by local id."""
    ids: dict[str, int] = {}
    for machine in sorted(table.machines, key=lambda machine: machine.name):
        values = {**asdict(machine), "device": device, "now": now}
        row = connection.execute(QUERIES["keep_machine"], values).fetchone()
        if row is None:
            raise MachineTakenError(_taken(connection, machine.name))
        ids[machine.name] = row["id"]
    return [ids[machine.name] for machine in table.machines]


def _taken(connection: Connection, name: str) -> str:
    row = connection.execute(QUERIES["machines"], {"names": [name]}).fetchone()
    owner = row["owner"] if row else "another device"
    return f"machine {name!r} belongs to {owner}"


def _keep_signals(connection: Connection, table: SignalTable, machines: Sequence[int]) -> list[int]:
    """The hub's ids by local id; signals told twice under one name share one."""
    told = [
        (machines[signal.machine], signal.name, signal.unit, str(signal.kind)) for signal in table.signals
    ]
    columns = {
        "machines": [item[0] for item in told],
        "names": [item[1] for item in told],
        "units": [item[2] for item in told],
        "kinds": [item[3] for item in told],
        "rates": [signal.rate_hz for signal in table.signals],
    }
    connection.execute(QUERIES["keep_signals"], columns)
    rows = connection.execute(QUERIES["signals"], {"machines": list(machines)})
    ids = {(row["machine"], row["name"], row["unit"], row["kind"]): row["id"] for row in rows}
    return [ids[item] for item in told]
