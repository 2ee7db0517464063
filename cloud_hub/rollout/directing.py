"""Directives: made, signed, stored and announced, however many devices at a time, in a few statements.

Whoever cannot be directed is left as it is, with the reason.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cloud_hub.rollout import states
from cloud_hub.rollout.ports import SignAll
from cloud_hub.rollout.selection import SQL
from cloud_hub.store.database import Connection, Row
from wire.clock import to_us
from wire.directive import Directive

INSTALL, UNDO = "install", "undo"
NAMED = 50  # devices that are announced one by one; of more, all that waits is looked at
EVERYBODY = ""

_LEFT = {INSTALL: states.WITHDRAWN, UNDO: states.KEPT}


def direct(
    connection: Connection,
    row: Row,
    devices: Sequence[Row],
    mode: str,
    *,
    sign: SignAll,
    now: datetime,
    lifetime: timedelta,
    timeout: timedelta,
) -> int:
    """Issue a signed directive to each of ``devices`` that can be directed; returns how many."""
    about = {"rollout": row["id"], "use_case": row["use_case"], "mode": mode, "now": now}
    whys = [_objection(device, mode) for device in devices]
    _leave(connection, about, devices, whys)
    chosen = [device for device, why in zip(devices, whys, strict=True) if not why]
    if not chosen:
        return 0
    wishes = [_directive(row, device, mode, now, lifetime) for device in chosen]
    columns = {
        "devices": [device["id"] for device in chosen],
        "sequences": [wish.sequence for wish in wishes],
        "releases": [wish.release for wish in wishes],
        "signed": [signed.to_bytes() for signed in sign(wishes)],
        "previous": [device["previous"] for device in chosen],
        "fingerprints": [device["key_fingerprint"] for device in chosen],
    }
    connection.execute(SQL["insert_directives"], about | columns)
    connection.execute(SQL["offered"], about | columns | {"expires": now + lifetime, "timeout": timeout})
    announce(connection, [device["name"] for device in chosen])
    return len(chosen)


def announce(connection: Connection, names: Sequence[str]) -> None:
    """Have ingest publish what is wished of these devices, once this transaction commits."""
    told = list(names) if len(names) <= NAMED else [EVERYBODY]
    connection.execute(SQL["announce"], {"names": told})


def _leave(connection: Connection, about: Row, devices: Sequence[Row], whys: Sequence[str]) -> None:
    left = [(device["id"], why) for device, why in zip(devices, whys, strict=True) if why]
    if left:
        ids, reasons = map(list, zip(*left, strict=True))
        values = {"state": _LEFT[about["mode"]], "devices": ids, "reasons": reasons}
        connection.execute(SQL["not_offered"], about | values)


def _objection(device: Row, mode: str) -> str:
    if device["retired"] or not device["key_fingerprint"]:
        return "retired" if device["retired"] else "not enrolled"
    if device["pin"] is not None:
        return f"pinned: {device['pin']}"
    if mode == UNDO and device["release"] is None:
        return "it had no release before this one to go back to"
    return ""


def _directive(row: Row, device: Row, mode: str, now: datetime, lifetime: timedelta) -> Directive:
    now_us = to_us(now)
    return Directive(
        device=device["name"],
        key_fingerprint=device["key_fingerprint"],
        use_case=row["use_case"],
        release=device["release"],
        bundle_path=device["bundle_path"],
        bundle_sha256=device["bundle_sha256"],
        sequence=max(device["last_sequence"] + 1, now_us // 1000),
        issued_us=now_us,
        expires_us=to_us(now + lifetime),
        rollout=row["id"],
        mode=mode,
        correlation=row["correlation"],
    )
