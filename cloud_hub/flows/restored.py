"""What a hub has to do once its database is one of the past: after `andon hub restore`, or any other restore.

Nothing that a machine runs changes because a hub's disk died. What may be missing
becomes a gap, what could be refused as old is signed under higher numbers, what
would go on by itself is paused; then people decide. Run again before any device
was heard, it only brings the times up to now.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud_hub.errors import HubError
from cloud_hub.flows.restored_spans import TOGETHER, Epoch, begin, behind
from cloud_hub.hub import Hub
from cloud_hub.ingest.ranges import Range
from cloud_hub.signing.repository import Repository
from cloud_hub.store.database import Connection, Row, load_queries
from cloud_hub.store.epochs import to_store
from wire.clock import Clock, to_us

SQL = load_queries("cloud_hub.flows", "restored.sql")
REASON = "hub-restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    device: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done."""

    now: datetime
    again: bool  # no device was heard since the last time: only the times were brought up to now
    gaps: tuple[Gap, ...]
    paused: tuple[str, ...]  # rollouts
    tokens: int  # open enrolment tokens that were made void
    metadata_version: int | None  # of the TUF timestamp; None: not signed
    metadata_trouble: str = ""


def restored(hub: Hub, *, actor: str, since: datetime | None = None) -> Restored:
    """Put the hub right, no process of which may run.

    ``since`` is when the backup was made, for a hub that has run since it was restored.
    """
    with hub.database.transaction() as connection:
        connection.execute(SQL["lock"])
        now = hub.clock.now()
        again = _note(connection, now)
        gaps = _note_gaps(hub, connection, now, since)
        connection.execute(SQL["silence_devices"], {"now": now})
        tokens = connection.execute(SQL["void_tokens"]).rowcount
        reason = "the hub was restored from a backup: look at it, then resume, abort or undo it"
        rows = connection.execute(SQL["pause_rollouts"], {"reason": reason, "now": now})
        paused = tuple(sorted(row["id"] for row in rows))
        if not again:
            told = {gap.device: gap.since.isoformat() for gap in gaps}
            hub.record(
                connection,
                actor=actor,
                action="hub.restored",
                subject="hub",
                detail={"gaps_since": told, "paused": paused, "tokens": tokens},
            )
    version, trouble = _republish(hub)
    return Restored(
        now=now,
        again=again,
        gaps=gaps,
        paused=paused,
        tokens=tokens,
        metadata_version=version,
        metadata_trouble=trouble,
    )


def _note(connection: Connection, now: datetime) -> bool:
    """Write the restoration down; whether it is the one that is written down already."""
    known = connection.execute(SQL["newest_restoration"]).fetchone()
    if known is not None and not known["heard"]:
        connection.execute(SQL["redate_restoration"], {"id": known["id"], "now": now})
        return True
    connection.execute(SQL["insert_restoration"], {"now": now})
    return False


def _note_gaps(hub: Hub, connection: Connection, now: datetime, since: datetime | None) -> tuple[Gap, ...]:
    epochs = _epochs(connection)
    horizon = now - timedelta(days=hub.config.store.late_horizon_days)
    gaps = []
    for device in connection.execute(SQL["devices"]).fetchall():
        known = _named(epochs[device["id"]], device["birth"])
        for epoch in known:
            values = {"device": device["id"], "epoch": epoch.epoch, "highest": epoch.held}
            connection.execute(SQL["raise_highest"], values)
        anchors = [
            _anchor(connection, device["id"], epoch, horizon) for epoch in behind(known, device["last_batch"])
        ]
        newest = device["newest"]
        begins = begin(
            newest,
            added=device["added"],
            now=now,
            margin=_margin(hub.clock, newest),
            anchors=anchors,
            horizon=horizon,
        )
        gap = Gap(device=device["name"], since=min(begins, since) if since else begins)
        _keep(connection, device["id"], gap, now)
        gaps.append(gap)
    return tuple(gaps)


def _margin(clock: Clock, newest: datetime | None) -> timedelta:
    """What batches hold together, in the clock's time as it ran then."""
    scaled = newest is not None and to_us(newest) < clock.caught_up_us
    return TOGETHER * (clock.factor if scaled else 1.0)


def _epochs(connection: Connection) -> dict[int, list[Epoch]]:
    settled: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in connection.execute(SQL["settled"]):
        settled[row["device"], row["epoch"]].append(row)
    found: dict[int, list[Epoch]] = defaultdict(list)
    for row in connection.execute(SQL["epochs"]):
        beyond = settled[row["device"], row["epoch"]]
        ranges: list[Range] = [(each["first"], each["last"]) for each in beyond]
        found[row["device"]].append(
            Epoch(
                epoch=row["epoch"],
                mark=row["mark"],
                highest=row["highest"],
                held=0,
                settled=tuple(ranges),
                oldest=min((each["received"] for each in beyond), default=None),
            )
        )
    return found


def _named(epochs: Sequence[Epoch], birth: Row | None) -> list[Epoch]:
    """The epochs with what the device's last birth said it held of each."""
    told = {to_store(int(each["epoch"])): int(each["next"]) - 1 for each in (birth or {}).get("epochs", ())}
    return [
        Epoch(
            epoch=each.epoch,
            mark=each.mark,
            highest=each.highest,
            held=told.get(each.epoch, 0),
            settled=each.settled,
            oldest=each.oldest,
        )
        for each in epochs
    ]


def _anchor(connection: Connection, device: int, epoch: Epoch, horizon: datetime) -> datetime | None:
    values = {"device": device, "epoch": epoch.epoch, "sequence": epoch.prefix, "since": horizon}
    row = connection.execute(SQL["row_at"], values).fetchone()
    return row["time"] if row else None


def _keep(connection: Connection, device: int, gap: Gap, now: datetime) -> None:
    values = {"device": device, "since": gap.since, "now": now, "reason": REASON}
    if connection.execute(SQL["extend_gap"], values).fetchone() is None:
        connection.execute(SQL["insert_gap"], values)


def _republish(hub: Hub) -> tuple[int | None, str]:
    """Sign the lists of what may be installed anew; without keys say so, for the rest is done."""
    repository = Repository.of(hub.config)
    if not repository.exists():
        return None, ""
    try:
        return repository.republish(), ""
    except HubError as error:
        return None, str(error)
