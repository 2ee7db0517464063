"""After a restore: what may be missing is a gap, what would be refused as old is signed anew, nothing moves by itself."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.types.json import Jsonb

from cloud_hub.config import HubConfig
from cloud_hub.flows.aftermath import FORGOTTEN, Aftermath
from cloud_hub.flows.restored import REASON, restored
from cloud_hub.flows.restored_spans import TOGETHER, Epoch, begin, behind
from cloud_hub.hub import Hub, opened
from cloud_hub.ingest.births import keep_birth
from cloud_hub.registry.models import SQL as REGISTRY
from cloud_hub.signing import keys
from cloud_hub.store.epochs import to_store
from wire.directive import Directive, SignedDirective, sign
from wire.messages import Birth, EpochFloor
from wire.table import Machine, SignalTable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = Ed25519PrivateKey.generate()


def epoch(**fields: Any) -> Epoch:
    return Epoch(**{"epoch": 7, "mark": 10, "highest": 10, "held": 0} | fields)


# ------------------------------------------------------------------ where the gap begins


def test_what_a_device_sent_after_the_backup_is_newer_than_what_it_had_sent() -> None:
    known = {"added": NOW - 90 * MINUTE, "now": NOW, "horizon": NOW - 7 * 24 * 60 * MINUTE}
    assert begin(NOW - 10 * MINUTE, **known) == NOW - 10 * MINUTE - TOGETHER
    assert begin(None, **known) == NOW - 90 * MINUTE, "nothing is known: since it was enrolled"
    assert begin(NOW + 10 * MINUTE, **known) == NOW, "a device whose clock is ahead"


def test_of_a_device_that_was_behind_the_gap_begins_where_it_was_complete() -> None:
    known = {"added": NOW - 900 * MINUTE, "now": NOW, "horizon": NOW - 600 * MINUTE}
    assert begin(NOW, anchors=[NOW - 200 * MINUTE], **known) == NOW - 201 * MINUTE
    assert begin(NOW, anchors=[None], **known) == NOW - 600 * MINUTE, "nothing tells: since the late horizon"
    assert begin(NOW, anchors=[None], **known | {"added": NOW - 5 * MINUTE}) == NOW - 5 * MINUTE


def test_a_device_was_behind_if_something_old_was_outstanding() -> None:
    assert behind([epoch()], NOW) == []
    held = epoch(held=40)
    assert behind([held], NOW) == [held], "its last birth named more than was settled"
    assert behind([epoch(held=40, settled=((11, 39),))], NOW) != []
    assert behind([epoch(held=40, settled=((11, 40),))], NOW) == [], "stored, the mark had not moved yet"
    passed = epoch(highest=20, settled=((12, 20),), oldest=NOW - 5 * MINUTE)
    assert behind([passed], NOW) == [passed], "newer ones had come for minutes"
    assert behind([replace(passed, oldest=NOW - MINUTE / 2)], NOW) == [], "an alarm overtook, as alarms do"


# ------------------------------------------------------------------ on a real database


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with opened(HubConfig(state_dir=tmp_path, database_url=database)) as made:
        yield made


def add(hub: Hub, table: str, **values: Any) -> Any:
    columns, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    row = hub.database.row(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING *", values)
    assert row is not None
    return row


@pytest.fixture
def press(hub: Hub) -> int:
    """A device with a sample of an hour ago."""
    ago = hub.clock.now() - 60 * MINUTE
    site = add(hub, "site", name="plant-1")["id"]
    times = {"added": ago - MINUTE * 600, "enrolled": ago - MINUTE * 600, "born": ago, "last_batch": ago}
    device = add(
        hub,
        "device",
        name="press-1",
        site=site,
        profile="generic",
        key_fingerprint="ab",
        online=True,
        **times,
    )["id"]
    machine = add(hub, "machine", name="pump-1", device=device, machine_class="pump", added=ago)["id"]
    signal = add(hub, "signal", machine=machine, name="s0", unit="1", kind="scalar")["id"]
    hub.database.execute(
        "INSERT INTO latest (signal, time, value) VALUES (%(s)s, %(t)s, 1)", {"s": signal, "t": ago}
    )
    return int(device)


def gaps(hub: Hub) -> list[tuple[datetime, datetime]]:
    rows = hub.database.rows(
        "SELECT from_time, to_time FROM gap WHERE reason = %(reason)s", {"reason": REASON}
    )
    return [(row["from_time"], row["to_time"]) for row in rows]


def test_every_device_gets_one_gap_however_often_it_is_done(hub: Hub, press: int) -> None:
    first = restored(hub, actor="ada")
    ((begins, ends),) = gaps(hub)
    assert (ends - begins) - 61 * MINUTE < MINUTE
    assert ends == first.now
    second = restored(hub, actor="ada")
    assert (first.again, second.again) == (False, True)
    assert gaps(hub) == [(begins, second.now)], "the same gap, up to now"
    actions = hub.database.rows("SELECT action FROM audit")
    assert [row["action"] for row in actions] == ["hub.restored"]
    assert hub.database.row("SELECT count(*) AS n FROM restoration") == {"n": 1}
    assert hub.database.row("SELECT online FROM device") == {"online": False}


def test_a_restore_after_the_fleet_was_heard_is_another_one(hub: Hub, press: int) -> None:
    restored(hub, actor="ada")
    hub.database.execute("UPDATE device SET born = %(now)s", {"now": hub.clock.now()})
    assert not restored(hub, actor="ada").again
    assert hub.database.row("SELECT count(*) AS n FROM restoration") == {"n": 2}


def test_the_moment_of_the_backup_may_be_told(hub: Hub, press: int) -> None:
    """For a hub that ran before anybody said `restored`: what it stored since hides what is missing before."""
    since = hub.clock.now() - 300 * MINUTE
    restored(hub, actor="ada", since=since)
    assert gaps(hub)[0][0] == since


def test_what_a_device_held_and_no_longer_names_is_lost_by_its_sequences(hub: Hub, press: int) -> None:
    """Its old epoch was sent whole after the backup: no birth will speak of it again."""
    wide = (1 << 64) - 5
    birth = {"epochs": [{"epoch": wide, "floor": 3, "next": 90}, {"epoch": 9, "floor": 1, "next": 5}]}
    hub.database.execute("UPDATE device SET birth = %(birth)s", {"birth": Jsonb(birth)})
    ago = hub.clock.now()
    for number, mark in ((to_store(wide), 40), (9, 4)):
        add(hub, "mark", device=press, epoch=number, mark=mark, highest=mark, opened=ago, last_seen=ago)
    restored(hub, actor="ada")
    rows = hub.database.rows("SELECT epoch, highest FROM mark ORDER BY epoch")
    assert [(row["epoch"], row["highest"]) for row in rows] == [(to_store(wide), 89), (9, 4)]
    table = SignalTable(machines=(Machine(name="pump-1", machine_class="pump"),), signals=())
    born = Birth(
        profile="generic",
        target="cpu",
        agent_version="1",
        time_us=1,
        table=table,
        epochs=(EpochFloor(epoch=9, floor=5, next=5),),
    )
    with hub.database.transaction() as connection:
        told = keep_birth(connection, press, born, ago).told
    assert told[press, to_store(wide)].floor == 90, "up to 89 will never come: lost-at-hub"


def test_nothing_goes_on_by_itself_and_no_token_works_twice(hub: Hub, press: int) -> None:
    now = hub.clock.now()
    release(hub, 1)
    for state in ("running", "done"):
        add(
            hub,
            "rollout",
            id=state,
            use_case="u",
            release="u/1",
            plan=Jsonb({}),
            state=state,
            correlation="",
            created_by="ada",
            created=now,
            changed=now,
        )
    for secret, redeemed in (("open", None), ("used", now)):
        add(
            hub,
            "enrol_token",
            secret_sha256=secret,
            device=press,
            created=now,
            expires=now + MINUTE,
            redeemed=redeemed,
        )
    done = restored(hub, actor="ada")
    assert (done.paused, done.tokens) == (("running",), 1)
    states = hub.database.rows("SELECT id, state, reason FROM rollout ORDER BY id")
    assert [(row["id"], row["state"]) for row in states] == [("done", "done"), ("running", "paused")]
    assert "restored from a backup" in states[1]["reason"]


def test_without_keys_the_rest_is_done_and_the_trouble_told(hub: Hub, press: int, tmp_path: Path) -> None:
    keys.init(tmp_path, tmp_path / "offline")
    for key in (tmp_path / "keys" / "online").glob("*.pem"):
        key.unlink()
    done = restored(hub, actor="ada")
    assert done.metadata_version is None
    assert "no key" in done.metadata_trouble
    assert len(gaps(hub)) == 1


# ------------------------------------------------------------------ names are never given twice


def release(hub: Hub, version: int, state: str = "released") -> str:
    now = hub.clock.now()
    add(hub, "run", id=f"u-run-{version}", use_case="u", state="done", correlation="", created=now)
    made = {"onnx_path": "x", "onnx_sha256": "x", "manifest": Jsonb({}), "gate": Jsonb({}), "created": now}
    add(
        hub,
        "model",
        use_case="u",
        version=version,
        release=f"u/{version}",
        run=f"u-run-{version}",
        state=state,
        **made,
    )
    return f"u/{version}"


def next_version(hub: Hub, use_case: str = "u") -> int:
    row = hub.database.row(REGISTRY["next_version"], {"use_case": use_case})
    assert row is not None
    return int(row["version"])


def test_versions_go_on_at_a_new_hundred_after_a_restore(hub: Hub, press: int) -> None:
    release(hub, 7)
    assert (next_version(hub), next_version(hub, "new")) == (8, 1)
    restored(hub, actor="ada")
    assert (next_version(hub), next_version(hub, "new")) == (101, 101), "8 may run somewhere"
    release(hub, 101)
    assert next_version(hub) == 102
    says_it_runs(hub, press, "u/150", 1)
    assert next_version(hub) == 151, "a device runs what the backup does not know"
    says_it_runs(hub, press, "u/x; DROP TABLE model", 1)
    assert next_version(hub) == 102


# ------------------------------------------------------------------ directives that the database does not know


def says_it_runs(hub: Hub, device: int, runs: str, accepted: int) -> None:
    hub.database.execute(
        "INSERT INTO device_release (device, use_case, release, accepted_sequence, state, changed)"
        " VALUES (%(device)s, 'u', %(runs)s, %(accepted)s, 'committed', %(now)s) ON CONFLICT (device, use_case)"
        " DO UPDATE SET release = excluded.release, accepted_sequence = excluded.accepted_sequence",
        {"device": device, "runs": runs, "accepted": accepted, "now": hub.clock.now()},
    )


def wish(hub: Hub, device: int, release_name: str, sequence: int) -> None:
    directive = Directive(
        device="press-1",
        key_fingerprint="old",
        use_case="u",
        release=release_name,
        bundle_path="bundles/u/1.zip",
        bundle_sha256="cd",
        sequence=sequence,
        issued_us=1,
        expires_us=2,
        rollout="u-1.1",
    )
    add(
        hub,
        "directive",
        device=device,
        use_case="u",
        sequence=sequence,
        release=release_name,
        rollout="u-1.1",
        mode="install",
        signed=sign(directive, KEY).to_bytes(),
        issued=hub.clock.now(),
    )


def newest(hub: Hub) -> Directive:
    row = hub.database.row("SELECT signed FROM directive ORDER BY sequence DESC LIMIT 1")
    assert row is not None
    return Directive.from_json(SignedDirective.from_bytes(bytes(row["signed"])).payload)


def tended(hub: Hub) -> list[str]:
    """Let the worker look once; the open incidents."""
    Aftermath(hub, lambda directive: sign(directive, KEY)).tend()
    rows = hub.database.rows(
        "SELECT detail FROM incident WHERE closed IS NULL AND kind = %(kind)s", {"kind": FORGOTTEN}
    )
    return [row["detail"] for row in rows]


def test_a_wish_that_came_true_is_signed_again_above_what_the_device_accepted(hub: Hub, press: int) -> None:
    release(hub, 1)
    wish(hub, press, "u/1", 100)
    says_it_runs(hub, press, "u/1", 10**15)
    assert tended(hub) == [], "no restore, nothing to put right"
    assert newest(hub).sequence == 100
    restored(hub, actor="ada")
    assert tended(hub) == []
    again = newest(hub)
    assert (again.sequence, again.release, again.key_fingerprint) == (10**15 + 1, "u/1", "ab")
    assert again.expires_us > again.issued_us > 1
    tended(hub)
    assert newest(hub) == again, "once"


@pytest.mark.parametrize(
    ("wished", "running", "told"),
    [
        ("u/1", "u/2", "it runs u/2, which this hub does not have"),
        ("u/1", "", "it runs no release"),
        (None, "u/1", "it runs u/1, by a directive"),
    ],
)
def test_what_a_machine_runs_is_never_changed_by_a_restore(
    hub: Hub, press: int, wished: str | None, running: str, told: str
) -> None:
    release(hub, 1)
    if wished:
        wish(hub, press, wished, 100)
    says_it_runs(hub, press, running, 200)
    restored(hub, actor="ada")
    (said,) = tended(hub)
    assert told in said
    assert "start a rollout to it" in said
    directives = hub.database.rows("SELECT sequence FROM directive")
    assert [row["sequence"] for row in directives] == ([100] if wished else [])
    wish(hub, press, "u/1", 300)
    assert tended(hub) == [], "a rollout has decided: the incident ends"


def test_a_device_that_claims_an_endless_number_harms_nobody(hub: Hub, press: int) -> None:
    release(hub, 1)
    wish(hub, press, "u/1", 100)
    says_it_runs(hub, press, "u/1", (1 << 63) - 1)
    restored(hub, actor="ada")
    for _ in range(2):
        assert tended(hub) == []
        assert newest(hub).sequence == (1 << 62) + 1


def test_devices_that_said_nothing_since_are_asked_for_their_birth(hub: Hub, press: int) -> None:
    with hub.database.connect() as listening:
        listening.execute("LISTEN andon_command")
        tended(hub)
        restored(hub, actor="ada")
        tended(hub)
        (notice,) = listening.notifies(timeout=5, stop_after=1)
        assert '"rebirth"' in notice.payload
        assert "press-1" in notice.payload
        hub.database.execute("UPDATE device SET born = %(now)s", {"now": hub.clock.now()})
        tended(hub)
        assert list(listening.notifies(timeout=0.2)) == []
