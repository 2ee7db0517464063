"""Attacks on the signed metadata, by who serves it and by who stole keys: tuf's client refuses, the device says so.

The thief is whoever can write to what the hub serves; with ``stolen`` he has keys as well.
"""

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lying_servers import endless, only
from tuf.api.metadata import Metadata, MetaFile, TargetFile
from update_parts import USE_CASE, refused

from cloud_hub.config import HubConfig
from cloud_hub.signing import rotation
from cloud_hub.signing.director import Director
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from wire.directive import Director as Listed
from wire.directive import Directors, sign

FAR = 2**31  # a version that no clock reaches soon


@pytest.fixture
def owner(hub, tmp_path):
    """The repository with the offline keys at hand."""
    return Repository(hub.state_dir, offline=Keyring(tmp_path / "offline", None))


def keep(hub):
    """What the hub serves now; the returned act puts it back, as a thief would who kept it."""
    kept = hub.state_dir / "kept"
    shutil.copytree(hub.repository.metadata_folder, kept, dirs_exist_ok=True)

    def put_back(*names):
        for name in names:
            shutil.copyfile(kept / name, hub.repository.metadata_folder / name)

    return put_back


def forge(hub, name, metadata, *signers):
    """Put ``metadata`` in place of the genuine, signed by whatever the thief has."""
    metadata.signatures.clear()
    for signer in signers:
        metadata.sign(signer, append=True)
    content = metadata.to_bytes()
    (hub.repository.metadata_folder / name).write_bytes(content)
    return content


def fast_forward(hub, change=lambda bundles: None):
    """All the online keys in a thief's hands: every version as high as it goes, and ``change`` to bundles."""
    ring, shelf = Keyring.online(hub.state_dir), hub.repository.shelf
    bundles, snapshot, timestamp = shelf.listed("bundles"), shelf.snapshot(), shelf.timestamp()
    change(bundles.signed)
    bundles.signed.version = snapshot.signed.version = timestamp.signed.version = FAR
    content = forge(hub, f"{FAR}.bundles.json", bundles, *ring.signers("bundles"))
    snapshot.signed.meta["bundles.json"] = MetaFile.from_data(FAR, content, ["sha256"])
    content = forge(hub, f"{FAR}.snapshot.json", snapshot, *ring.signers("snapshot"))
    timestamp.signed.snapshot_meta = MetaFile.from_data(FAR, content, ["sha256"])
    forge(hub, "timestamp.json", timestamp, *ring.signers("timestamp"))


def test_freeze_shows_nothing_new_and_is_told_when_what_is_shown_expires(attacked):
    hub, device = attacked
    put_back = keep(hub)
    hub.publish(3)
    put_back("timestamp.json")  # genuine, and not of today
    device.offer(hub.offer(3))
    assert refused(device, "bundles/motor-health/3.zip is not among the signed targets")
    device.reports.clear()
    timestamp = hub.repository.shelf.timestamp()
    timestamp.signed.version += 1
    timestamp.signed.expires = timestamp.signed.expires.replace(year=2020)  # as time does
    forge(hub, "timestamp.json", timestamp, *Keyring.online(hub.state_dir).signers("timestamp"))
    device.offer(hub.offer(2))
    assert "the signed metadata has expired, or this clock is wrong" in device.last.reason
    device.predict(1)


def test_rollback_to_older_metadata_is_refused_after_a_restart_as_well(attacked):
    hub, device = attacked
    put_back = keep(hub)
    hub.publish(3)
    device.boot()
    device.offer(hub.offer(1))  # it sees the newest metadata
    device.reports.clear()
    put_back("timestamp.json")
    device.boot()
    device.offer(hub.offer(2))
    assert refused(device, "BadVersionNumberError")


def test_an_old_genuine_bundle_in_place_of_the_new_one_is_refused(attacked):
    hub, device = attacked
    shutil.copyfile(hub.target_file(1), hub.target_file(2))
    device.offer(hub.offer(2))
    assert refused(device, "LengthOrHashMismatchError")


def test_mix_and_match_of_lists_that_never_stood_together_is_refused(attacked):
    hub, device = attacked
    old = hub.repository.shelf.listed("bundles")
    hub.publish(3)
    new = hub.repository.shelf.listed("bundles").signed.version
    file = hub.repository.metadata_folder / f"{new}.bundles.json"
    file.write_bytes(old.to_bytes())  # genuine, of another day
    device.offer(hub.offer(2))
    assert refused(device, "LengthOrHashMismatchError")


def test_endless_metadata_is_cut_off(attacked):
    hub, device = attacked
    hub.server.app = only("/metadata/timestamp.json", endless)(hub.server.app)
    device.boot()
    device.offer(hub.offer(2))
    assert refused(device, "DownloadLengthMismatchError")


def test_fast_forward_is_cured_by_rotating_the_stolen_keys(hub, device, owner):
    """Versions as high as they go, by stolen keys: what the hub says is older, until root changes the keys."""
    hub.publish(2)
    put_back = keep(hub)
    fast_forward(hub)
    device.boot()
    device.offer(hub.offer(1))  # it sees the thief's versions
    put_back("timestamp.json")  # the hub is itself again
    device.reports.clear()
    device.boot()
    device.offer(hub.offer(2))
    assert refused(device, "BadVersionNumberError")
    rotation.replace(owner, rotation.named(owner, ["online"], stolen=True))
    hub.director = Director.of(HubConfig(state_dir=hub.state_dir))
    device.boot()
    device.commit(hub.offer(2))
    assert (device.state, device.release) == ("committed", "motor-health/2"), device.last


def test_one_root_key_makes_no_root_that_a_device_follows(attacked, owner, tmp_path):
    hub, device = attacked
    thief = Keyring(tmp_path / "thief", None)
    thief.make("timestamp")
    root = hub.repository.shelf.root()
    root.signed.version += 1
    root.signed.roles["timestamp"].keyids.clear()
    root.signed.add_key(thief.public("timestamp"), "timestamp")
    forge(
        hub, f"{root.signed.version}.root.json", root, *Keyring(tmp_path / "offline", None).signers("root-1")
    )
    device.boot()
    device.offer(hub.offer(2))
    assert refused(device, "UnsignedMetadataError: root was signed by 1/2 keys")


def test_the_key_of_bundles_alone_lists_nothing_that_a_device_sees(attacked, tmp_path):
    """Its list is worth as much as the snapshot and the timestamp that name it."""
    hub, device = attacked
    evil = hub.bundle(6)
    bundles = hub.repository.shelf.listed("bundles")
    path = f"bundles/{USE_CASE}/6.zip"
    target = bundles.signed.targets[path] = TargetFile.from_file(path, str(evil), ["sha256"])
    version = bundles.signed.version
    forge(hub, f"{version}.bundles.json", bundles, *Keyring.online(hub.state_dir).signers("bundles"))
    place = hub.repository.targets_folder / "bundles" / USE_CASE / f"{target.hashes['sha256']}.6.zip"
    shutil.copyfile(evil, place)
    (device.state_dir / "updates" / "trust").rename(tmp_path / "forgotten")  # it has no list in its cache
    device.boot()
    device.offer(hub.offer(6, bundle_sha256=target.hashes["sha256"]))
    assert refused(device, "DownloadLengthMismatchError")  # the snapshot says how long the list is


def test_the_online_keys_cannot_name_directors(attacked):
    """Not even all of them together: the list of directors is an offline matter."""
    hub, device = attacked
    thief = Ed25519PrivateKey.generate()
    listed = Directors(directors=(Listed(public_key=thief.public_key().public_bytes_raw().hex()),)).to_json()
    evil = TargetFile.from_data("directors.json", listed, ["sha256"])
    fast_forward(hub, lambda bundles: bundles.targets.update({"directors.json": evil}))
    device.boot()
    device.offer(sign(hub.directive(2), thief).to_bytes())
    assert refused(device, "SignatureError")


def test_key_rotation_is_followed_by_a_device_that_was_away_for_all_of_it(hub, device, owner):
    for name in ("root-1", "timestamp", "root-2", "targets"):
        rotation.replace(owner, [name])
    hub.publish(2)
    device.boot()
    device.commit(hub.offer(2))
    assert (device.state, device.release) == ("committed", "motor-health/2")
    cache = next((device.state_dir / "updates" / "trust").glob("*/root.json"))
    assert Metadata.from_bytes(cache.read_bytes()).signed.version == 5


def test_a_key_that_was_rotated_out_is_worth_nothing(hub, device, owner, tmp_path):
    hub.publish(2)
    stolen = tmp_path / "stolen"
    shutil.copytree(hub.state_dir / "keys", stolen / "keys")
    rotation.replace(owner, ["timestamp"])
    device.boot()
    device.offer(hub.offer(1))
    device.reports.clear()
    timestamp = hub.repository.shelf.timestamp()
    timestamp.signed.version = FAR
    forge(hub, "timestamp.json", timestamp, *Keyring.online(stolen).signers("timestamp"))
    device.boot()
    device.offer(hub.offer(2))
    assert refused(device, "UnsignedMetadataError: timestamp was signed by 0/1 keys")


def test_a_root_that_is_withheld_leaves_the_device_with_the_newest_it_knew(hub, device, owner):
    """Nobody leads it back below a rotation by hiding that one, or by power cuts: its own cache has it."""
    put_back = keep(hub)
    rotation.replace(owner, ["timestamp"])
    device.boot()
    device.offer(hub.offer(1))
    device.reports.clear()
    put_back("timestamp.json")
    (hub.repository.metadata_folder / "2.root.json").unlink()
    device.boot()
    device.offer(hub.offer(1, mode="undo"))
    assert refused(device, "UnsignedMetadataError: timestamp was signed by 0/1 keys")
