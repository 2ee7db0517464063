"""Keys come and go; what a client sees holds at every instant, and a stolen key is worth nothing afterwards."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from signing_client import client, fetched
from tuf.api.exceptions import (
    BadVersionNumberError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, MetaFile, TargetFile

from cloud_hub.errors import ConflictError, NotFoundError, TrustError
from cloud_hub.signing import keys, rotation
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository

TARGET = "orin-nx-jp6"
ENGINES = f"engines-{TARGET}"
OTHER = "engines-orin-nano-jp6"
FAR = 2**31  # a version no clock reaches soon

EVERY = ("root-1", "root-2", "root-3", "targets", "snapshot", "timestamp", "bundles", "director", ENGINES)


@pytest.fixture(autouse=True)
def _published(hub, bundle):
    Repository(hub).publish_bundle(bundle, "bundles/a/1.zip")


@pytest.fixture
def owner(hub, tmp_path):
    """The repository with the offline keys at hand."""
    return Repository(hub, offline=Keyring(tmp_path / "offline", None))


@pytest.fixture
def stolen(hub, tmp_path):
    """The online keys as a thief copied them, before anybody noticed."""
    shutil.copytree(hub / "keys", tmp_path / "thief" / "keys")
    return Keyring.online(tmp_path / "thief")


def metadata(hub, name):
    return Metadata.from_file(str(hub / "repository" / "metadata" / name))


def sign_and_write(hub, name, changed, ring, role):
    """What somebody with the keys in ``ring`` can put on a server that he owns, too."""
    changed.signatures.clear()
    for signer in ring.signers(role):
        changed.sign(signer, append=True)
    content = changed.to_bytes()
    (hub / "repository" / "metadata" / name).write_bytes(content)
    return content


def forge(hub, ring, role, change, roles=("snapshot", "timestamp")):
    """``change`` the list of ``role`` and sign all that leads to it with the keys in ``ring``."""
    repository = Repository(hub)
    listing, snapshot, timestamp = (
        repository.shelf.listed(role), repository.shelf.snapshot(), repository.shelf.timestamp()
    )  # fmt: skip
    change(listing.signed)
    version = listing.signed.version = FAR
    content = sign_and_write(hub, f"{version}.{role}.json", listing, ring, role)
    snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(version, content, ["sha256"])
    snapshot.signed.version = FAR
    content = sign_and_write(hub, f"{FAR}.snapshot.json", snapshot, ring, roles[0])
    timestamp.signed.snapshot_meta = MetaFile.from_data(FAR, content, ["sha256"])
    timestamp.signed.version = FAR
    sign_and_write(hub, "timestamp.json", timestamp, ring, roles[1])


def elsewhere(hub, tmp_path):
    """A copy of what the hub serves, for a thief to write into."""
    copy = tmp_path / "mirror"
    shutil.copytree(hub, copy)
    return copy


def keys_of(hub, role):
    return set(Repository(hub).shelf.role(role).keyids)


# ------------------------------------------------------------------ rotation


@pytest.mark.parametrize("name", EVERY)
def test_a_key_is_replaced_and_clients_old_and_new_follow(hub, owner, tmp_path, name):
    assert fetched(hub, tmp_path / "old", "bundles/a/1.zip")
    role = "root" if name.startswith("root") else "targets" if name == "director" else name
    before = keys_of(hub, role)
    rotation.replace(owner, [name])
    assert fetched(hub, tmp_path / "old", "bundles/a/1.zip")
    assert fetched(hub, tmp_path / "new", "bundles/a/1.zip")
    assert len(before - keys_of(hub, role)) == (name != "director")
    assert not list((hub / "keys" / "online").glob("*.next.pem"))
    assert not list((tmp_path / "offline").glob("*.next.pem"))


def test_a_client_that_was_away_follows_many_rotations_from_the_first_root(hub, owner, bundle, tmp_path):
    assert fetched(hub, tmp_path / "away", "bundles/a/1.zip")
    for name in ("root-1", "root-2", "root-3", "timestamp", "targets"):
        rotation.replace(owner, [name])
    Repository(hub).publish_bundle(bundle, "bundles/a/2.zip")
    assert fetched(hub, tmp_path / "away", "bundles/a/2.zip")
    assert metadata(hub, "root.json").signed.version == 6


def test_every_online_key_is_replaced_in_one_act(hub, owner, tmp_path):
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")
    names = rotation.named(owner, ["online"], stolen=True)
    assert {*names} == {"snapshot", "timestamp", "bundles", "director", ENGINES, OTHER}
    before = {name: keys_of(hub, name) for name in names if name != "director"}
    done = rotation.replace(owner, names)
    assert done.root_version == 2
    assert not any(keys_of(hub, name) & keyids for name, keyids in before.items())
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")
    assert Repository(hub).refresh_timestamp() is False


def test_with_a_snapshot_key_the_timestamp_key_is_revoked(owner):
    assert rotation.named(owner, ["snapshot"], stolen=True) == ["snapshot", "timestamp"]
    assert rotation.named(owner, ["snapshot"], stolen=False) == ["snapshot"]
    with pytest.raises(TrustError, match=r"expected one of root-1, .* or online, got 'snap'"):
        rotation.named(owner, ["snap"], stolen=True)


@pytest.mark.parametrize(
    "name", ["snapshot", "timestamp", "bundles", "director", ENGINES, "targets", "root-2"]
)
def test_a_lost_key_is_replaced_without_it(hub, owner, tmp_path, name):
    (owner.press.ring(name).folder / f"{name}.pem").unlink()
    rotation.replace(owner, [name])
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")
    assert name == "root-2" or {row.role: row for row in keys.status(hub)}[name].warning in (
        "",
        {row.role: row for row in keys.status(hub)}["targets"].warning,
    )


# ------------------------------------------------------------------ too few keys


def test_one_root_key_alone_changes_nothing(hub, owner, tmp_path):
    (tmp_path / "offline" / "root-2.pem").unlink()
    (tmp_path / "offline" / "root-3.pem").unlink()
    before = sorted(path.name for path in tmp_path.rglob("*.*"))
    for names in (["timestamp"], ["targets"], ["root-1"], ["root-2"]):
        with pytest.raises(TrustError, match=r"expected 2 of the root keys of this hub in .*, got root-1"):
            rotation.replace(owner, names)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == before


def test_a_client_refuses_a_root_that_one_key_signed(hub, tmp_path):
    root = metadata(hub, "1.root.json")
    thief = Keyring(tmp_path / "thief", None)
    thief.make("timestamp")
    root.signed.version = 2
    root.signed.roles["timestamp"].keyids.clear()
    root.signed.add_key(thief.public("timestamp"), "timestamp")
    sign_and_write(hub, "2.root.json", root, Keyring(tmp_path / "offline", None), "root-1")
    with pytest.raises(UnsignedMetadataError, match="1/2"):
        client(hub, tmp_path / "c").refresh()


def test_strange_root_keys_are_not_taken_for_ours(hub, tmp_path):
    keys.init(tmp_path / "stranger", tmp_path / "theirs")
    stranger = Repository(hub, offline=Keyring(tmp_path / "theirs", None))
    with pytest.raises(TrustError, match=r"root keys of this hub in .*theirs, got none"):
        rotation.replace(stranger, ["timestamp"])
    for names in (["bundles"], ["director"]):
        with pytest.raises(TrustError, match="devices expect it to be signed by key"):
            rotation.replace(stranger, names)
    assert not list(hub.rglob("*.next.pem")), "nothing was begun"


def test_without_the_offline_directory_nothing_is_begun(hub):
    with pytest.raises(TrustError, match="is offline: bring its directory"):
        rotation.replace(Repository(hub), ["timestamp"])


# ------------------------------------------------------------------ stolen keys


@pytest.mark.parametrize("role", ["bundles", ENGINES])
def test_metadata_that_a_revoked_key_signed_is_refused(hub, owner, stolen, tmp_path, role):
    rotation.replace(owner, [role])
    mirror = elsewhere(hub, tmp_path)
    path = "bundles/a/9.zip" if role == "bundles" else f"engines/{TARGET}/a.engine"
    evil = TargetFile.from_data(path, b"evil", ["sha256"])
    forge(mirror, stolen, role, lambda listing: listing.targets.update({path: evil}))
    with pytest.raises(RepositoryError):
        fetched(hub, tmp_path / "c", path, mirror / "repository")


def test_a_revoked_timestamp_key_signs_nothing_that_is_taken(hub, owner, stolen, tmp_path):
    rotation.replace(owner, ["timestamp"])
    mirror = elsewhere(hub, tmp_path)
    timestamp = metadata(mirror, "timestamp.json")
    timestamp.signed.version += 1
    sign_and_write(mirror, "timestamp.json", timestamp, stolen, "timestamp")
    with pytest.raises(UnsignedMetadataError):
        client(hub, tmp_path / "c", mirror / "repository").refresh()


def test_a_client_recovers_from_a_fast_forward_by_stolen_online_keys(hub, owner, stolen, tmp_path):
    mirror = elsewhere(hub, tmp_path)
    evil = TargetFile.from_data("bundles/a/9.zip", b"evil", ["sha256"])
    forge(mirror, stolen, "bundles", lambda listing: listing.targets.update({evil.path: evil}))
    assert client(hub, tmp_path / "c", mirror / "repository").get_targetinfo(evil.path) is not None
    with pytest.raises(BadVersionNumberError):
        client(hub, tmp_path / "c").refresh()
    rotation.replace(owner, rotation.named(owner, ["snapshot", "bundles"], stolen=True))
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")
    assert fetched(hub, tmp_path / "c", "bundles/a/9.zip") is None
    assert Repository(hub).shelf.timestamp().signed.version < FAR


def test_what_a_thief_listed_is_dropped_and_what_is_ours_stays(hub, owner, bundle, tmp_path):
    ours = Repository(hub).publish_bundle(bundle, "bundles/a/2.zip")
    evil = tmp_path / "evil.zip"
    evil.write_bytes(b"evil")
    Repository(hub).publish_bundle(evil, "bundles/a/3.zip")  # by a thief, with the key
    genuine = {"bundles/a/1.zip": ours.sha256, "bundles/a/2.zip": ours.sha256, "bundles/a/3.zip": ours.sha256}
    done = rotation.replace(owner, ["bundles"], genuine={"bundles": genuine})
    assert done.dropped == ("bundles/a/3.zip",)
    assert fetched(hub, tmp_path / "c", "bundles/a/3.zip") is None
    assert fetched(hub, tmp_path / "c", "bundles/a/2.zip") == bundle.read_bytes()
    Repository(hub).publish_bundle(bundle, "bundles/a/3.zip")  # the path is free for the real one
    assert fetched(hub, tmp_path / "c", "bundles/a/3.zip") == bundle.read_bytes()


def test_mixing_old_and_new_metadata_is_refused(hub, bundle, tmp_path):
    mirror = elsewhere(hub, tmp_path)
    old = Repository(hub).shelf.snapshot()
    Repository(hub).publish_bundle(bundle, "bundles/a/2.zip")
    new = Repository(hub).shelf.snapshot()
    folder = mirror / "repository" / "metadata"
    shutil.copy(hub / "repository" / "metadata" / "timestamp.json", folder)
    (folder / f"{new.signed.version}.snapshot.json").write_bytes(old.to_bytes())
    with pytest.raises(LengthOrHashMismatchError):
        client(hub, tmp_path / "c", mirror / "repository").refresh()


def test_a_frozen_repository_is_noticed_when_its_timestamp_ends(hub, tmp_path):
    timestamp = metadata(hub, "timestamp.json")
    timestamp.signed.version += 1
    timestamp.signed.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    sign_and_write(hub, "timestamp.json", timestamp, Keyring.online(hub), "timestamp")
    with pytest.raises(ExpiredMetadataError):
        client(hub, tmp_path / "c").refresh()
    Repository(hub).refresh_timestamp()
    client(hub, tmp_path / "c").refresh()


# ------------------------------------------------------------------ engines


def test_an_engine_is_vouched_for_by_its_own_target_alone(hub, bundle, tmp_path):
    published = Repository(hub).publish_engine(bundle, TARGET, "a/1.engine")
    assert published.target_path == f"engines/{TARGET}/a/1.engine"
    assert fetched(hub, tmp_path / "c", published.target_path) == bundle.read_bytes()
    with pytest.raises(NotFoundError, match="engines-rtx"):
        Repository(hub).publish_engine(bundle, "rtx", "a/1.engine")
    for name in ("../a", "a/b/c", "", ".a"):
        with pytest.raises(TrustError, match="expected an engine's name"):
            Repository(hub).publish_engine(bundle, TARGET, name)


@pytest.mark.parametrize("path", ["bundles/a/9.zip", "engines/orin-nano-jp6/a.engine", "directors.json"])
def test_the_key_of_an_engines_role_signs_no_bundle_no_other_targets_engine_no_directors(hub, path, tmp_path):
    evil = TargetFile.from_data(path, b"evil", ["sha256"])
    forge(hub, Keyring.online(hub), ENGINES, lambda listing: listing.targets.update({path: evil}))
    found = client(hub, tmp_path / "c").get_targetinfo(path)
    assert found is None or found.hashes != evil.hashes


def test_the_key_of_bundles_signs_no_engine(hub, tmp_path):
    path = f"engines/{TARGET}/a.engine"
    evil = TargetFile.from_data(path, b"evil", ["sha256"])
    forge(hub, Keyring.online(hub), "bundles", lambda listing: listing.targets.update({path: evil}))
    assert client(hub, tmp_path / "c").get_targetinfo(path) is None


def test_engines_of_a_target_are_delegated_later_and_once(hub, owner, bundle, tmp_path):
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")
    assert rotation.delegate_engines(owner, "rtx") == "engines-rtx"
    Repository(hub).publish_engine(bundle, "rtx", "a/1.engine")
    assert fetched(hub, tmp_path / "c", "engines/rtx/a/1.engine") == bundle.read_bytes()
    with pytest.raises(ConflictError, match="andon keys rotate engines-rtx"):
        rotation.delegate_engines(owner, "rtx")


def test_every_role_is_renewed_and_signed_anew_after_a_restore(hub, tmp_path):
    roles = {"bundles", ENGINES, OTHER}
    before = {role: Repository(hub).shelf.listed(role).signed for role in roles}
    assert Repository(hub, now=lambda: datetime.now(UTC) + timedelta(days=200)).refresh_timestamp()
    worn = {role: Repository(hub).shelf.listed(role).signed for role in roles}
    assert all(worn[role].expires > before[role].expires for role in roles)
    Repository(hub).republish()
    again = {role: Repository(hub).shelf.listed(role).signed for role in roles}
    assert all(again[role].version > worn[role].version for role in roles)
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")


# ------------------------------------------------------------------ what stays


def test_every_release_stays_there_however_many_follow_and_whatever_is_rotated(hub, owner, tmp_path):
    for version in range(2, 12):
        file = tmp_path / "next.zip"
        file.write_bytes(b"%d" % version)
        Repository(hub).publish_bundle(file, f"bundles/a/{version}.zip")
    rotation.replace(owner, ["bundles", "timestamp"])
    rotation.replace(owner, ["targets"])
    got = [fetched(hub, tmp_path / "c", f"bundles/a/{version}.zip") for version in range(2, 12)]
    assert got == [b"%d" % version for version in range(2, 12)]


def test_root_and_targets_are_renewed_with_the_keys_they_have(hub, owner, tmp_path):
    later = Repository(
        hub,
        now=lambda: datetime.now(UTC) + timedelta(days=100),
        offline=Keyring(tmp_path / "offline", None),
    )
    before = Repository(hub).roles()
    assert rotation.renew(later).root_version == 2
    after = Repository(hub).roles()
    for role in ("root", "targets"):
        assert after[role].signed.expires > before[role].signed.expires
    assert after["root"].signed.keys == before["root"].signed.keys
    assert fetched(hub, tmp_path / "c", "bundles/a/1.zip")


def test_the_next_root_is_what_new_devices_are_enrolled_with(hub, owner):
    rotation.replace(owner, ["timestamp"])
    assert Metadata.from_bytes(Path(owner.root_file).read_bytes()).signed.version == 2
