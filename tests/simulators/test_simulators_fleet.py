"""A simulated fleet at a real hub: it ends as it was drawn, refuses what nobody signed, and remembers."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fleet_world import FleetWorld

from cloud_hub.rollout.states import COMMITTED
from wire.directive import Directive, sign

DEVICES = 20
LIFE = ["accepted", "downloading", "verifying", "installing", "probation"]
DRAWN = ("--fail", "15%", "--refuse", "15%")
ENDINGS = {
    "fail": ("rolled-back", [*LIFE, "rolling-back", "rolled-back"]),
    "refuse": ("refused", [*LIFE[:3], "refused"]),
}


@pytest.fixture
def world(state_root, database):
    made = FleetWorld(state_root, database)
    made.start_ingest()
    yield made
    made.close()


def hub(world: FleetWorld) -> tuple[str, ...]:
    return ("--hub", world.url, "--tokens", str(world.add_devices(DEVICES)))


def state_of(world: FleetWorld, rollout: str) -> str:
    return world.hub.database.row("SELECT state FROM rollout WHERE id = %(id)s", {"id": rollout})["state"]


def test_a_rollout_ends_as_its_devices_were_drawn_and_a_second_start_needs_no_token(
    world: FleetWorld,
) -> None:
    release = world.publish()
    fleet = world.fleet(DEVICES, *hub(world), *DRAWN)
    drawn = {name: fault for fault, names in fleet.ready["faults"].items() for name in names}
    assert set(drawn.values()) == {"fail", "refuse"}, "the seed draws both"
    world.drive_until(lambda: world.count("device WHERE born IS NOT NULL") == DEVICES)
    rollout = world.roll_out(release)
    world.drive_until(lambda: state_of(world, rollout) == "done")
    for device, ended in world.endings().items():
        expected, states = ENDINGS.get(drawn.get(device, ""), (COMMITTED, [*LIFE, COMMITTED]))
        assert (ended, world.reported(device)) == (expected, states)
    assert fleet.stop()["directives accepted"] == DEVICES
    reports = world.count("report")

    again = world.fleet(DEVICES, *DRAWN)
    world.drive_until(lambda: world.count("device WHERE online") == DEVICES)
    assert again.stop() == {}, "nothing was left to do"
    assert (world.count("report"), world.count("gap"), world.count("quarantine")) == (reports, 0, 0)
    assert world.count(f"device_release WHERE release = '{release}'") == DEVICES - len(drawn)


def test_reports_that_nobody_settled_are_sent_again_after_a_restart_and_count_once(world: FleetWorld) -> None:
    release = world.publish()
    fleet = world.fleet(4, *hub(world), "--pace", "0.3")
    world.drive_until(lambda: world.count("device WHERE born IS NOT NULL") == 4)
    rollout = world.roll_out(release, waves=("100%",))
    world.drive_until(lambda: world.count("report") >= 4)
    world.stop_ingest()
    fleet.stop()
    stored = world.count("report")
    assert stored < 4 * (len(LIFE) + 1)
    world.start_ingest()
    world.fleet(4)
    world.drive_until(lambda: state_of(world, rollout) == "done")
    world.drive_until(lambda: world.count("mark WHERE highest > mark") == 0)
    assert set(world.endings().values()) == {COMMITTED}
    assert world.count("gap") == 0
    assert world.count("(SELECT FROM report GROUP BY device, time, state HAVING count(*) > 1) AS again") == 0


def test_a_directive_that_no_director_signed_is_refused_by_name_and_not_followed(world: FleetWorld) -> None:
    release = world.publish()
    fleet = world.fleet(2, *hub(world))
    world.drive_until(lambda: world.count("device WHERE born IS NOT NULL") == 2)
    (device, *_) = world.hub.database.rows(
        "SELECT id, name, key_fingerprint FROM device WHERE online ORDER BY name"
    )
    now = world.hub.clock.now_us()
    forged = sign(
        Directive(
            device=device["name"],
            key_fingerprint=device["key_fingerprint"],
            use_case="motor-health",
            release=release,
            bundle_path=f"bundles/{release}.zip",
            bundle_sha256="0" * 64,
            sequence=now // 1000,
            issued_us=now,
            expires_us=now + 3_600_000_000,
            rollout="forged",
        ),
        Ed25519PrivateKey.generate(),
    )
    with world.hub.database.transaction() as connection:
        connection.execute(
            "INSERT INTO directive VALUES (%s, 'motor-health', %s, %s, 'forged', 'install', %s, %s)",
            (device["id"], now // 1000, release, forged.to_bytes(), world.hub.clock.now()),
        )
        connection.execute("SELECT pg_notify('andon_directive', %s)", (device["name"],))
    world.drive_until(lambda: world.count("report") > 0)
    row = world.hub.database.row("SELECT device, state, reason, directive_sequence FROM report")
    assert (row["device"], row["state"], row["directive_sequence"]) == (device["id"], "refused", 0)
    assert row["reason"].startswith("SignatureError: expected a signature by one of 1 directors")
    assert fleet.stop() == {"batches sent": 1, "directives refused": 1}
