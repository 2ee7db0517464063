"""A birth: a device says what it is and has, and the hub gives its machines and signals their ids.

A signal table is kept as it came and never changes. A machine belongs to one
device; another that claims its name is refused and shown, unless the owner was
retired: then the new device is its replacement.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from cloud_hub.ingest.ledger import Stream
from cloud_hub.ingest.settling import Told
from cloud_hub.store.database import Connection, load_queries
from cloud_hub.store.epochs import to_store
from wire.clock import to_datetime, to_us
from wire.errors import MessageError
from wire.messages import Birth, Status
from wire.table import SignalTable

QUERIES = load_queries("cloud_hub.ingest", "births.sql")
_LOCK_SPACE = 0x6269  # "bi"
_LATEST_US = 253_000_000_000_000_000  # in the year 9987; what PostgreSQL and Python both can write
_BIGGEST = 1 << 63
OUTBOX_LOST = "outbox-lost"
TOGETHER = timedelta(seconds=60)  # samples of one batch are at most this far apart (uplink.max_age_s)


class MachineTakenError(MessageError):
    """Another device has a machine of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Born:
    """What a birth leads to."""

    device: int
    table_hash: bytes
    told: dict[Stream, Told]  # floors: whose marks are to be moved now


def parse_birth(payload: bytes) -> Birth:
    """The birth in ``payload``; a ``MessageError`` also for numbers the store cannot hold."""
    try:
        birth = Birth.from_json(payload)
    except OverflowError as error:
        raise MessageError(f"not a birth: {error}") from error
    sequences = [number for epoch in birth.epochs for number in (epoch.floor, epoch.next)]
    sequences += [state.accepted_sequence for state in birth.use_cases]
    if not 0 <= birth.time_us < _LATEST_US or any(not 0 <= number < _BIGGEST for number in sequences):
        raise MessageError(f"expected numbers of 63 bits in a birth, got time {birth.time_us}")
    if any(not 0 <= epoch.epoch < 2 * _BIGGEST for epoch in birth.epochs):
        raise MessageError("expected epochs of 64 bits in a birth")
    if b"\\u0000" in payload or b"\\ud" in payload.lower():
        raise MessageError("expected plain text in a birth, got control characters")
    return birth


def keep_birth(connection: Connection, device: int, birth: Birth, now: datetime) -> Born:
    """Keep what ``birth`` says; ``MachineTakenError`` where it claims another device's machine."""
    connection.execute(QUERIES["lock"], {"space": _LOCK_SPACE, "device": device})
    table_hash = birth.table.hash
    known = connection.execute(QUERIES["table_known"], {"device": device, "hash": table_hash})
    if known.fetchone() is None:
        _keep_table(connection, device, birth.table, table_hash, now)
    with connection.cursor() as cursor:
        rows = [
            {"device": device, "time": to_datetime(birth.time_us), **asdict(state)}
            for state in sorted(birth.use_cases, key=lambda state: state.use_case)
        ]
        cursor.executemany(QUERIES["keep_release"], rows)
    _note_epochs(connection, device, birth, now)
    told = _floors(connection, device, birth)
    fields = asdict(birth)
    fields.pop("table")
    values = {
        "device": device,
        "birth": Jsonb({**fields, "table_hash": table_hash.hex()}),
        "agent_version": birth.agent_version,
        "target": birth.target,
        "skew_s": (birth.time_us - to_us(now)) / 1e6,
        "now": now,
    }
    connection.execute(QUERIES["keep_birth"], values)  # last: it locks the row that batches update
    return Born(device=device, table_hash=table_hash, told=told)


def keep_status(connection: Connection, device: int, status: Status, now: datetime) -> None:
    """Whether the device is connected, as it or its last will says."""
    reason = status.reason.replace("\0", "")[:200]
    values = {"device": device, "online": status.online, "reason": reason, "now": now}
    connection.execute(QUERIES["status"], values)


def _keep_table(
    connection: Connection, device: int, table: SignalTable, table_hash: bytes, now: datetime
) -> None:
    machines = _keep_machines(connection, device, table, now)
    signals = _keep_signals(connection, table, machines)
    values = {
        "device": device,
        "hash": table_hash,
        "body": Jsonb(asdict(table)),
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


def _note_epochs(connection: Connection, device: int, birth: Birth, now: datetime) -> None:
    """Open the epochs a birth names, oldest first; see whether the one before it is gone, and that the
    current one was never left before."""
    epochs = [to_store(item.epoch) for item in birth.epochs]
    connection.execute(QUERIES["open_epochs_of_birth"], {"device": device, "epochs": epochs, "now": now})
    if epochs:
        detail = f"epoch {birth.epochs[-1].epoch} came back after another: an outbox was cloned"
        values = {"device": device, "epoch": epochs[-1], "detail": detail, "now": now}
        lost = {**values, "epochs": epochs, "reason": OUTBOX_LOST, "together": TOGETHER}
        connection.execute(QUERIES["lose_outbox"], lost)
        connection.execute(QUERIES["revive"], values)
        connection.execute(QUERIES["supersede"], values)


def _floors(connection: Connection, device: int, birth: Birth) -> dict[Stream, Told]:
    """What the device still holds of each epoch; of one it does not name, nothing."""
    told = {(device, to_store(item.epoch)): Told(floor=min(item.floor, item.next)) for item in birth.epochs}
    for row in connection.execute(QUERIES["open_epochs"], {"device": device}):
        told.setdefault((device, row["epoch"]), Told(floor=row["highest"] + 1))
    return told
