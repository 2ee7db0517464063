"""Attacks by way of engines: a plan runs as code, so what is not the very thing that was signed for here is refused.

What every one of them must leave behind: no plan to run, release 1 running, and one report that says why.
"""

import shutil

import pytest
from engine_parts import FACTS, OTHER, PLAN, TARGET, Builder, engine, files, said, told
from lying_servers import endless, only
from test_updates_attacks_metadata import FAR, forge, keep
from tuf.api.metadata import MetaFile, TargetFile

from cloud_hub.errors import NotFoundError
from cloud_hub.signing import rotation
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from edge_agent.updates import trust


@pytest.fixture
def builder(hub, device, tmp_path):
    owner = Repository(hub.state_dir, offline=Keyring(tmp_path / "offline", None))
    for target in (TARGET, OTHER):
        rotation.delegate_engines(owner, target)
    device.engines = FACTS
    yield Builder(hub)
    assert engine(device, Builder(hub), 1) is None
    assert device.release == "motor-health/1"
    device.predict(1)


def refused(device, *reasons):
    """The device asks, says no once with these words, and keeps nothing."""
    device.boot()
    device.settle()
    device.settle()
    found = told(device)
    assert [event for event, _ in found] == ["engine-refused"], found
    assert [reason for reason in reasons if reason not in found[0][1]] == []
    assert files(device) == []
    return True


def test_an_engine_that_was_signed_under_the_name_of_another_is_refused(device, builder):
    """Every other difference is in the tests of the store."""
    builder.publish(1, inside=builder.key(1, target=OTHER))
    assert refused(device, "EngineError", f"expected an engine of target {TARGET}, got {OTHER}")


def test_a_signed_file_that_is_no_engine_is_refused(hub, device, builder):
    file = hub.state_dir / "evil.engine"
    file.write_bytes(b"not an engine")
    builder.publish(1, file=file)
    assert refused(device, "EngineError")


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (lambda content: content[:-1] + b"!", "LengthOrHashMismatchError"),
        (lambda content: content[:1000], "LengthOrHashMismatchError"),
        (lambda content: content + bytes(100_000), "DownloadLengthMismatchError"),
    ],
    ids=["tampered", "truncated", "longer"],
)
def test_other_bytes_than_those_signed_are_refused(device, builder, tamper, reason):
    file = builder.served(builder.publish(1))
    file.write_bytes(tamper(file.read_bytes()))
    assert refused(device, "UntrustedError", reason)


def test_an_engine_without_end_is_cut_off(hub, device, builder):
    builder.publish(1)
    hub.server.app = only("/targets/engines", endless)(hub.server.app)
    assert refused(device, "DownloadLengthMismatchError")


def test_an_old_genuine_engine_in_place_of_the_new_one_is_refused(device, builder):
    """Both were signed, for the same target, by the same role."""
    old = builder.key(1, runtime_version="10.13.2")
    published = builder.hub.repository.publish_engine(
        builder.engine(old, PLAN[:-8] + b"outdated"), TARGET, old.name
    )
    shutil.copyfile(builder.served(published), builder.served(builder.publish(1)))
    assert refused(device, "LengthOrHashMismatchError")


def test_a_replay_of_metadata_that_knew_another_engine_is_refused(hub, device, builder):
    put_back = keep(hub)
    builder.publish(1)
    device.boot()
    device.settle()
    assert engine(device, builder, 1).plan == PLAN
    for file in files(device):
        file.unlink()
    put_back("timestamp.json")
    assert refused(device, "BadVersionNumberError")


def lists(hub, role, path, file):
    """A thief with every online key lets ``role`` list ``file`` as ``path``."""
    ring, shelf = Keyring.online(hub.state_dir), hub.repository.shelf
    listed, snapshot, timestamp = shelf.listed(role), shelf.snapshot(), shelf.timestamp()
    target = TargetFile.from_file(path, str(file), ["sha256"])
    listed.signed.targets[path] = target
    listed.signed.version = snapshot.signed.version = timestamp.signed.version = FAR
    content = forge(hub, f"{FAR}.{role}.json", listed, *ring.signers(role))
    snapshot.signed.meta[f"{role}.json"] = MetaFile.from_data(FAR, content, ["sha256"])
    content = forge(hub, f"{FAR}.snapshot.json", snapshot, *ring.signers("snapshot"))
    timestamp.signed.snapshot_meta = MetaFile.from_data(FAR, content, ["sha256"])
    forge(hub, "timestamp.json", timestamp, *ring.signers("timestamp"))
    hub.repository.put(path, file.read_bytes())


@pytest.mark.parametrize("role", ["bundles", f"engines-{OTHER}"])
def test_an_engine_that_another_role_lists_is_not_seen(hub, device, builder, role):
    """Not even with every key of the hub: who may list which path is an offline matter."""
    key = builder.key(1)
    lists(hub, role, f"engines/{TARGET}/{key.name}", builder.engine(key))
    device.boot()
    device.settle()
    assert said(device) == ["none that fits is signed"]
    assert (files(device), told(device)) == ([], [])


def test_an_engine_for_another_target_is_never_asked_for(device, builder):
    key = builder.key(1, target=OTHER)
    builder.hub.repository.publish_engine(builder.engine(key), OTHER, key.name)
    device.boot()
    device.settle()
    assert said(device) == ["none that fits is signed"]


def test_nobody_signs_for_a_target_without_a_role(builder):
    key = builder.key(1, target="toaster")
    with pytest.raises(NotFoundError, match="engines-toaster"):
        builder.hub.repository.publish_engine(builder.engine(key), "toaster", key.name)


def test_a_signed_hash_that_would_leave_the_folder_is_refused(hub, device, builder, monkeypatch):
    key = builder.key(1)
    from_file = TargetFile.from_file

    def evil(path, *_):
        target = from_file(path, str(builder.engine(key)), ["sha256"])
        target.hashes["sha256"] = "/../../../../identity/device.key"
        return target

    monkeypatch.setattr(TargetFile, "from_file", evil)
    monkeypatch.setattr(hub.repository, "put", lambda *_: None)
    lists(hub, f"engines-{TARGET}", f"engines/{TARGET}/{key.name}", builder.engine(key))
    assert refused(device, "expected a signed SHA-256, got '/../../../../identity/device.key'")


def test_an_engine_larger_than_any_may_be_is_refused_before_a_byte(device, builder, monkeypatch):
    builder.publish(1)
    monkeypatch.setattr(trust, "LARGEST_ENGINE", 1000)
    assert refused(device, "expected at most 1000 bytes, got")
