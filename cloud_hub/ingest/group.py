"""One transaction for many batches: claim them, store what is new, keep apart what cannot be stored.

Everything that came is settled by it or was before; the caller commits, then
acknowledges, then moves the marks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cloud_hub.ingest import captures, quarantining, writing
from cloud_hub.ingest.judge import SUPPORTED, Judged, KnownTable, Rules, judge
from cloud_hub.ingest.judge_events import EventRules
from cloud_hub.ingest.ledger import QUERIES, Claim, Claimed, Key, Stream, claim
from cloud_hub.ingest.quarantining import Kept
from cloud_hub.ingest.reading import Reading, channel_of
from cloud_hub.ingest.settling import Told
from cloud_hub.ingest.tables import TableKey, Tables
from cloud_hub.ingest.writing import Storable
from cloud_hub.ingest.writing_events import gap_streams, write_events
from cloud_hub.store.database import Connection, Row
from cloud_hub.store.epochs import to_store
from cloud_hub.store.reasons import Reason
from wire.clock import to_datetime
from wire.topics import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The clock's time, and the times that are accepted now, in microseconds."""

    now_us: int
    earliest_us: int
    latest_us: int

    @property
    def now(self) -> datetime:
        return to_datetime(self.now_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a group came to."""

    told: Mapping[Stream, Told]  # whose marks are to be moved now
    rebirths: frozenset[str] = frozenset()  # devices whose signal table is missing
    unreadable: frozenset[tuple[str, bytes]] = frozenset()  # devices, and the hashes of what says no sequence
    samples: int = 0
    captures: int = 0
    again: int = 0  # batches that had come before
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)  # by device and reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keyed:
    """A reading of an enrolled device that says which batch it is; ``judged`` where it can be stored."""

    reading: Reading
    key: Key
    refusal: Kept | None = None  # why it is quarantined whole
    judged: Judged | None = None
    machines: KnownTable | None = None

    @property
    def backlog(self) -> bool:
        """Whether its device was catching up when it wrote it."""
        return self.reading.header is not None and self.reading.header.backlog


def store_group(connection: Connection, readings: Sequence[Reading], tables: Tables, times: Times) -> Outcome:
    """Settle every one of ``readings`` within the transaction of ``connection``."""
    devices = _devices(connection, readings)
    strangers = [_stranger(item, devices) for item in readings if _refused(item, devices)]
    ours = [item for item in readings if not _refused(item, devices)]
    nameless = [_nameless(item, devices) for item in ours if item.header is None]
    known = [item for item in ours if item.header is not None]
    keyed = prepare(connection, [(item, _key(item, devices)) for item in known], tables, times)
    first = {item.key: item for item in reversed(keyed)}
    claimed = _claim(connection, first, times.now)
    new = [item for key, item in first.items() if key in claimed.new]
    kept = [*strangers, *nameless, *_reused(keyed, first, claimed)]
    samples = write(connection, new, claimed.marks, times.now, kept)
    _finish(connection, keyed, kept, times.now)
    return Outcome(
        told=_told(keyed, first, claimed, new),
        rebirths=frozenset(item.name for item in kept if item.reason == Reason.UNKNOWN_TABLE),
        unreadable=frozenset(
            (item.name, item.sha256) for item in nameless if channel_of(item.topic) is Channel.BATCH
        ),
        samples=samples,
        captures=sum(len(item.judged.captures) for item in new if item.judged is not None),
        again=len(keyed) - len(new),
        rejected=Counter((item.name, item.reason) for item in kept),
    )


def prepare(
    connection: Connection, readings: Sequence[tuple[Reading, Key]], tables: Tables, times: Times
) -> list[Keyed]:
    """Judge each reading against its signal table."""
    batches = [(_table_key(reading, key), reading.batch) for reading, key in readings if reading.batch]
    tables.load(connection, [key for key, _ in batches])
    tables.learn_widths(connection, batches)
    known = tables.load(connection, [key for key, _ in batches])
    releases = tables.releases(connection, [batch for _, batch in batches])
    rules = Rules(earliest_us=times.earliest_us, latest_us=times.latest_us, releases=releases)
    return [_judge(reading, key, known, rules) for reading, key in readings]


def write(
    connection: Connection,
    new: Sequence[Keyed],
    marks: Mapping[Stream, int],
    now: datetime,
    kept: list[Kept],
) -> int:
    """Store what was judged good; what was refused is added to ``kept``. Returns the number of samples."""
    storable = _storable(new)
    samples = writing.write_values(connection, storable)
    write_events(connection, storable, marks, now)
    captures.write_captures(connection, storable, now)
    for item in new:
        if item.refusal is not None:
            kept.append(item.refusal)
        elif item.judged is not None:
            kept += [quarantining.part(item.reading, refusal, item.key) for refusal in item.judged.refusals]
    return samples


def streams_of_gaps(items: Sequence[Keyed]) -> set[Stream]:
    """The epochs whose marks must be locked before the events of ``items`` are written."""
    return gap_streams(_storable(items))


def _finish(connection: Connection, keyed: Sequence[Keyed], kept: Sequence[Kept], now: datetime) -> None:
    quarantining.keep(connection, kept, now)
    rejected = Counter(item.device for item in kept if item.device is not None)
    heard = {item.key.device for item in keyed}
    live = {item.key.device for item in keyed if not item.backlog}
    writing.note_devices(connection, heard, live, dict(rejected), now)


def _devices(connection: Connection, readings: Sequence[Reading]) -> dict[str, Row]:
    names = sorted({item.device for item in readings})
    return {row["name"]: row for row in connection.execute(QUERIES["devices"], {"names": names})}


def _refused(reading: Reading, devices: Mapping[str, Row]) -> bool:
    row = devices.get(reading.device)
    return row is None or row["retired"] or not row["enrolled"]


def _stranger(reading: Reading, devices: Mapping[str, Row]) -> Kept:
    row = devices.get(reading.device)
    reason: str
    if not reading.device:  # not even its topic can be read
        reason, detail = reading.reason, reading.detail
    elif row is None:
        reason, detail = Reason.UNKNOWN_DEVICE, f"no device named {reading.device!r}"
    elif row["retired"]:
        reason, detail = Reason.RETIRED_DEVICE, f"{reading.device} was retired"
    else:
        reason, detail = Reason.NOT_ENROLLED, f"{reading.device} was never enrolled"
    return quarantining.whole(reading, device=row["id"] if row else None, reason=reason, detail=detail)


def _nameless(reading: Reading, devices: Mapping[str, Row]) -> Kept:
    """A message that says no sequence: nothing settles it, so its device has to be told of it."""
    device = devices[reading.device]["id"]
    return quarantining.whole(reading, device=device, reason=reading.reason, detail=reading.detail)


def _key(reading: Reading, devices: Mapping[str, Row]) -> Key:
    assert reading.header is not None
    header = reading.header
    return Key(int(devices[reading.device]["id"]), to_store(header.epoch), header.sequence)


def _table_key(reading: Reading, key: Key) -> TableKey:
    assert reading.header is not None
    return key.device, reading.header.table_hash


def _judge(reading: Reading, key: Key, known: Mapping[TableKey, KnownTable], rules: Rules) -> Keyed:
    def refused(reason: str, detail: str, table_hash: bytes | None = None) -> Keyed:
        kept = quarantining.whole(
            reading, device=key.device, reason=reason, detail=detail, key=key, table_hash=table_hash
        )
        return Keyed(reading=reading, key=key, refusal=kept)

    if reading.batch is None:
        return refused(reading.reason, reading.detail)
    if reading.batch.batch_class not in SUPPORTED:
        return refused(Reason.UNSUPPORTED_CLASS, f"class {reading.batch.batch_class}")
    table = known.get(_table_key(reading, key))
    if table is None:
        wanted = reading.batch.table_hash
        return refused(Reason.UNKNOWN_TABLE, f"signal table {wanted.hex()[:12]} has not come", wanted)
    events = EventRules(machines=len(table.machines), latest_us=rules.latest_us)
    return Keyed(
        reading=reading,
        key=key,
        judged=judge(reading.batch, table, rules, events.problem),
        machines=table,
    )


def _storable(items: Sequence[Keyed]) -> list[Storable]:
    return [
        Storable(key=item.key, judged=item.judged, machines=item.machines.machines)
        for item in items
        if item.judged is not None and item.machines is not None
    ]


def _claim(connection: Connection, first: Mapping[Key, Keyed], now: datetime) -> Claimed:
    claims = [
        Claim(
            key=key,
            sha256=item.reading.sha256,
            settled_as="stored" if item.refusal is None else "quarantined",
        )
        for key, item in first.items()
    ]
    return claim(connection, claims, streams_of_gaps(list(first.values())), now)


def _reused(keyed: Sequence[Keyed], first: Mapping[Key, Keyed], claimed: Claimed) -> list[Kept]:
    """Batches under a key that another batch has: in the ledger, or in this very group."""
    reused = []
    for item in keyed:
        original = first[item.key]
        same = item.reading.sha256 == original.reading.sha256
        if (item.key in claimed.reused) if same else (item is not original):
            detail = f"epoch {item.key.epoch}, sequence {item.key.sequence} came before with other bytes"
            kept = quarantining.whole(
                item.reading, device=item.key.device, reason=Reason.SEQUENCE_REUSED, detail=detail
            )
            reused.append(kept)
    return reused


def _told(
    keyed: Sequence[Keyed], first: Mapping[Key, Keyed], claimed: Claimed, new: Sequence[Keyed]
) -> dict[Stream, Told]:
    told = {stream: Told() for stream in streams_of_gaps(new)}
    for item in keyed:
        stream = (item.key.device, item.key.epoch)
        assert item.reading.header is not None
        again = item.key not in claimed.new or first[item.key] is not item
        told[stream] = told.get(stream, Told()).and_also(
            floor=item.reading.header.floor, sequence=item.key.sequence, again=again,
            backlog=item.backlog and not again,
        )  # fmt: skip
    return told
