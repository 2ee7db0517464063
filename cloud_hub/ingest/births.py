"""Births: devices say what they are and have, and the hub gives their machines and signals its ids.

Many are kept together: ten thousand devices that come back at once, after a broker was
restarted, cost a few statements a hundred. A signal table is kept as it came and never
changes. A machine belongs to one device; another that claims its name is refused and shown,
unless the owner was retired: then the new device is its replacement.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from cloud_hub.ingest.births_tables import QUERIES, MachineTakenError, keep_table
from cloud_hub.ingest.ledger import Stream
from cloud_hub.ingest.settling import Told
from cloud_hub.ingest.writing import QUERIES as WRITING
from cloud_hub.store.database import Connection, Row
from cloud_hub.store.epochs import to_store
from wire.clock import to_datetime, to_us
from wire.errors import MessageError
from wire.messages import Birth, Status

_LOCK_SPACE = 0x6269  # "bi"
_LATEST_US = 253_000_000_000_000_000  # in the year 9987; what PostgreSQL and Python both can write
_BIGGEST = 1 << 63
OUTBOX_LOST = "outbox-lost"
TOGETHER = timedelta(seconds=60)  # samples of one batch are at most this far apart (uplink.max_age_s)

Births = Mapping[int, Birth]  # by device


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
    """Keep what one birth says; ``MachineTakenError`` where it claims another device's machine."""
    kept = keep_births(connection, {device: birth}, now)[device]
    if isinstance(kept, MachineTakenError):
        raise kept
    return kept


def keep_births(connection: Connection, births: Births, now: datetime) -> dict[int, Born | MachineTakenError]:
    """Keep what each birth says, or say why it is refused; the others are kept all the same."""
    births = dict(sorted(births.items()))  # who locks several devices does it in this order
    connection.execute(QUERIES["lock"], {"space": _LOCK_SPACE, "devices": list(births)})
    hashes = {device: birth.table.hash for device, birth in births.items()}
    refused = _keep_tables(connection, births, hashes, now)
    births = {device: birth for device, birth in births.items() if device not in refused}
    _keep_releases(connection, births)
    told = _note_epochs(connection, births, now)
    _keep_births(connection, births, hashes, now)  # last: it locks rows that batches update
    born = {device: Born(device=device, table_hash=hashes[device], told=told[device]) for device in births}
    return {**born, **refused}


def keep_statuses(connection: Connection, statuses: Mapping[int, Status], now: datetime) -> None:
    """Whether each device is connected, as it or its last will says."""
    devices = sorted(statuses)
    connection.execute(WRITING["lock_devices"], {"devices": devices})
    values = {
        "devices": devices,
        "online": [statuses[device].online for device in devices],
        "reasons": [statuses[device].reason.replace("\0", "")[:200] for device in devices],
        "now": now,
    }
    connection.execute(QUERIES["statuses"], values)


def _keep_tables(
    connection: Connection, births: Births, hashes: Mapping[int, bytes], now: datetime
) -> dict[int, MachineTakenError]:
    """Keep the tables that are new; what claims another device's machine is undone and refused."""
    values = {"devices": list(hashes), "hashes": list(hashes.values())}
    known = {row["device"] for row in connection.execute(QUERIES["tables_known"], values)}
    refused = {}
    for device, birth in births.items():
        if device in known:
            continue
        try:
            with connection.transaction():
                keep_table(connection, device, birth.table, now)
        except MachineTakenError as error:
            refused[device] = error
    return refused


def _keep_releases(connection: Connection, births: Births) -> None:
    told = {
        (device, state.use_case): (state, to_datetime(birth.time_us))
        for device, birth in births.items()
        for state in birth.use_cases
    }
    if not told:
        return
    keys = sorted(told)
    states = [told[key][0] for key in keys]
    columns: dict[str, Any] = {
        "devices": [device for device, _ in keys],
        "use_cases": [use_case for _, use_case in keys],
        "releases": [state.release for state in states],
        "sequences": [state.accepted_sequence for state in states],
        "states": [state.state for state in states],
        "times": [told[key][1] for key in keys],
    }
    connection.execute(QUERIES["keep_releases"], columns)


def _keep_births(connection: Connection, births: Births, hashes: Mapping[int, bytes], now: datetime) -> None:
    devices = list(births)
    connection.execute(WRITING["lock_devices"], {"devices": devices})
    values = {
        "devices": devices,
        "births": [_stored(births[device], hashes[device]) for device in devices],
        "agents": [births[device].agent_version for device in devices],
        "targets": [births[device].target for device in devices],
        "skews": [(births[device].time_us - to_us(now)) / 1e6 for device in devices],
        "now": now,
    }
    connection.execute(QUERIES["keep_births"], values)


def _stored(birth: Birth, table_hash: bytes) -> str:
    """A birth as it is kept: its table has a row of its own."""
    fields = asdict(birth)
    fields.pop("table")
    return json.dumps({**fields, "table_hash": table_hash.hex()})


def _note_epochs(connection: Connection, births: Births, now: datetime) -> dict[int, dict[Stream, Told]]:
    """Open the epochs that births name; see whether the one before is gone, and that the current one was
    never left before. Returns what each device still holds of each epoch; of one it does not name, nothing.
    """
    named = {
        device: {to_store(item.epoch): Told(floor=min(item.floor, item.next)) for item in birth.epochs}
        for device, birth in births.items()
    }
    streams = sorted((device, epoch) for device, epochs in named.items() for epoch in epochs)
    columns = {"devices": [device for device, _ in streams], "epochs": [epoch for _, epoch in streams]}
    connection.execute(QUERIES["open_epochs"], {**columns, "now": now})
    marks = connection.execute(QUERIES["lock_marks_of"], {"devices": list(births)}).fetchall()
    for device in dict.fromkeys(row["device"] for row in marks if _is_gone(row, named)):
        lost = {"device": device, "epochs": list(named[device]), "now": now}
        connection.execute(QUERIES["lose_outbox"], {**lost, "reason": OUTBOX_LOST, "together": TOGETHER})
    _make_current(connection, births, now)
    told = {
        device: {(device, epoch): said for epoch, said in epochs.items()} for device, epochs in named.items()
    }
    for row in marks:
        if row["highest"] > row["mark"]:
            stream = (row["device"], row["epoch"])
            told[row["device"]].setdefault(stream, Told(floor=row["highest"] + 1))
    return told


def _is_gone(row: Row, named: Mapping[int, Mapping[int, Told]]) -> bool:
    """Whether an epoch was the current one and its device, which names epochs, names it no more."""
    epochs = named[row["device"]]
    return not row["superseded"] and bool(epochs) and row["epoch"] not in epochs


def _make_current(connection: Connection, births: Births, now: datetime) -> None:
    current: Sequence[tuple[int, int]] = [
        (device, birth.epochs[-1].epoch) for device, birth in births.items() if birth.epochs
    ]
    if not current:
        return
    values = {
        "devices": [device for device, _ in current],
        "epochs": [to_store(epoch) for _, epoch in current],
        "details": [f"epoch {epoch} came back after another: an outbox was cloned" for _, epoch in current],
        "now": now,
    }
    connection.execute(QUERIES["revive"], values)
    connection.execute(QUERIES["supersede"], values)
