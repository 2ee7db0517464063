"""The whole way: a hub is backed up while two devices stream, dies with its disk, and comes back from the backup.

The devices run on throughout. What they had sent after the backup is lost, and nothing else; each lost sample lies
in a gap; what ran on a machine goes on running; and the restored hub directs its fleet again.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from backup_world import USE_CASE, Device, Hub, account, until

from cloud_hub.parts.broker import find_mosquitto
from cloud_hub.parts.places import sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_mosquitto() is None, reason="no mosquitto on this machine"),
]

NAMES = ("press-1", "press-2")


@pytest.fixture
def hub(state_root: Path) -> Iterator[Hub]:
    made = Hub(state_root / "hub")
    secret = ("--offline-passphrase-file", str(state_root / "passphrase"))
    made.andon("init", "--offline", str(state_root / "offline"), *secret, name="keys")
    yield made
    made.stop()
    shutil.rmtree(made.folder, ignore_errors=True)
    sweep()


@pytest.fixture
def devices(hub: Hub, state_root: Path) -> Iterator[list[Device]]:
    url = hub.start()["device_url"]
    made = [Device(state_root / name, hub, name, url) for name in NAMES]
    yield made
    for device in made:
        device.end()
        device.source.stop()


def stored(hub: Hub) -> int:
    return int(hub.rows("SELECT count(*) AS n FROM sample")[0]["n"])


def runs(hub: Hub) -> dict[str, str]:
    """What each device that was born says it runs."""
    rows = hub.rows(
        "SELECT name, coalesce(release, '') AS release FROM device"
        " LEFT JOIN device_release ON device_release.device = device.id WHERE born IS NOT NULL"
    )
    return {row["name"]: row["release"] for row in rows}


def test_a_fleet_that_runs_on_converges_with_the_restored_hub(
    hub: Hub, devices: list[Device], state_root: Path
) -> None:
    until(lambda: set(runs(hub)) == set(NAMES) and stored(hub) > 100, what="births and samples")
    hub.roll_out(hub.release(1), *NAMES)
    passphrase = state_root / "passphrase"
    passphrase.write_text("a long enough passphrase\n")
    sealed = ("--passphrase-file", str(passphrase))
    made = hub.json("backup", str(state_root / "backup"), *sealed)
    assert (made["keys"], made["missing"]) == ({"kept": "sealed", "online": True}, [])

    # What the backup will not know: a release, a rollout of it to one device, seconds of samples of both.
    before = stored(hub)
    hub.roll_out(hub.release(2), "press-1")
    until(lambda: stored(hub) > before + 200)
    accepted = hub.rows("SELECT max(accepted_sequence) AS n FROM device_release")[0]["n"]
    hub.die()

    hub.andon("install", "--state-dir", str(hub.folder))
    done = hub.json("restore", str(state_root / "backup"), *sealed)
    assert sorted(gap["device"] for gap in done["gaps"]) == list(NAMES)
    hub.start()
    until(
        lambda: runs(hub) == {"press-1": f"{USE_CASE}/2", "press-2": f"{USE_CASE}/1"},
        what="births said again",
    )
    incidents = "SELECT detail FROM incident WHERE kind = 'directive-forgotten' AND closed IS NULL"
    until(lambda: hub.rows(incidents), what="the forgotten rollout is shown")
    (told,) = hub.rows(incidents)
    assert f"it runs {USE_CASE}/2, which this hub does not have" in told["detail"]
    assert f"this hub wishes {USE_CASE}/1: start a rollout to it" in told["detail"]

    # A rollout takes charge again: its number is above the one that the database never heard of.
    hub.roll_out(hub.release(101), *NAMES)
    newest = hub.rows("SELECT min(accepted_sequence) AS n FROM device_release")[0]["n"]
    assert newest > accepted
    until(lambda: not hub.rows(incidents), what="the incident is closed")
    assert set(runs(hub).values()) == {f"{USE_CASE}/101"}

    for device in devices:
        device.drain()
    for device in devices:
        became = account(hub, device)
        assert (became["strange"], became["unexplained"]) == (0, 0), became
        assert 0 < became["lost"] < became["said"] / 2, became
    actions = [row["action"] for row in hub.rows("SELECT action FROM audit ORDER BY id")]
    assert actions.count("hub.restored") == 1
    assert json.loads(hub.andon("verify", "--json", name="audit"))["broken"] is None

    samples = stored(hub)
    hub.kill()
    assert hub.json("backup", str(state_root / "killed"))["database"]["devices"] == 2, (
        "by its own database, started for it"
    )
    hub.start()
    assert stored(hub) == samples
