"""A new director's key strands nobody: what devices have not accepted is signed again, as it is."""

import dataclasses

import pytest
from rollout_world import World

from cloud_hub.flows.resigned import Resigner
from cloud_hub.signing import directors, keys, rotation
from cloud_hub.signing.director import Director
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from wire.directive import Accepted, Directive, Directors, SignedDirective, accept
from wire.errors import SignatureError


@pytest.fixture
def fleet(database, hub, tmp_path):
    """Two devices that were each sent a directive which they have not accepted yet."""
    keys.init(tmp_path, tmp_path / "offline")
    world = World(database)
    world.add_devices("edge-1", "edge-2")
    for row in world.database.rows("SELECT id, name FROM device"):
        sent = Director.of(hub.config).sign(directive_for(row["name"]))
        world.database.execute(
            """INSERT INTO directive (device, use_case, sequence, release, rollout, mode, signed, issued)
               VALUES (%(id)s, 'motor-health', 7, 'motor-health/1', 'r', 'install', %(signed)s, now())""",
            {"id": row["id"], "signed": sent.to_bytes()},
        )
    yield world
    world.close()


def directive_for(device):
    return Directive(
        device=device, key_fingerprint=device.encode().hex(), use_case="motor-health", release="motor-health/1",
        bundle_path="bundles/motor-health/1.zip", bundle_sha256="0" * 64, sequence=7, issued_us=1, expires_us=2,
        rollout="r",
    )  # fmt: skip


def revoke_director(hub, folder):
    repository = Repository.of(hub.config, offline=Keyring(folder, None))
    rotation.replace(repository, ["director"])
    return Directors(directors=tuple(row.director for row in directors.listed(repository)))


def signed(fleet, device):
    query = "SELECT signed FROM directive JOIN device ON device.id = device WHERE name = %(name)s"
    return SignedDirective.from_bytes(bytes(fleet.database.row(query, {"name": device})["signed"]))


def judged(directive, known, accepted=None):
    return accept(
        directive,
        known,
        device="edge-1",
        key_fingerprint=b"edge-1".hex(),
        site="plant-1",
        use_case="motor-health",
        accepted=accepted,
        now_us=0,
    )


def test_what_no_device_accepted_yet_is_signed_again_byte_for_byte(fleet, hub, tmp_path):
    before = signed(fleet, "edge-1")
    known = revoke_director(hub, tmp_path / "offline")
    with pytest.raises(SignatureError):
        judged(before, known)
    Resigner(hub, Director.of(hub.config)).tend()
    after = signed(fleet, "edge-1")
    assert (after.payload, after.sha256) == (before.payload, before.sha256)
    assert judged(after, known) == directive_for("edge-1")
    taken = Accepted(sequence=7, sha256=before.sha256)
    assert judged(after, known, taken) is None, "a device that took it already takes it for a repetition"


def test_what_a_device_accepted_is_left_alone_and_nothing_is_done_twice(fleet, hub, tmp_path):
    fleet.run_release("edge-2", "motor-health/1", sequence=7)
    before = signed(fleet, "edge-2")
    resigner = Resigner(hub, Director.of(hub.config))
    resigner.tend()
    assert signed(fleet, "edge-1").key_id == before.key_id
    revoke_director(hub, tmp_path / "offline")
    resigner.tend()
    assert signed(fleet, "edge-2") == before
    assert signed(fleet, "edge-1").key_id != before.key_id
    again = signed(fleet, "edge-1")
    resigner.tend()
    assert signed(fleet, "edge-1") == again


def test_a_hub_without_keys_has_nothing_to_sign_again(hub):
    Resigner(hub, Director.of(hub.config)).tend()


def test_what_the_key_before_was_signing_when_it_was_replaced_is_signed_again_too(fleet, hub, tmp_path):
    """A step of the engine opened the old key, and commits after the new one was met."""
    late = Director.of(hub.config).sign(dataclasses.replace(directive_for("edge-1"), sequence=8))
    known = revoke_director(hub, tmp_path / "offline")
    resigner = Resigner(hub, Director.of(hub.config))
    resigner.tend()
    fleet.database.execute(
        "UPDATE directive SET sequence = 8, signed = %(signed)s FROM device"
        " WHERE device.id = directive.device AND device.name = 'edge-1'",
        {"signed": late.to_bytes()},
    )
    resigner.tend()
    assert judged(signed(fleet, "edge-1"), known).sequence == 8
