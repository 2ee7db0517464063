"""Attacks, each one assignment against a hub and a device that are otherwise sound.

What every one of them must leave behind: release 1 running, nothing switched,
and one report that names what was expected and what came.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import Metadata
from update_parts import DEVICE, HOUR_US, NAMES, USE_CASE, refused, slots

from cloud_hub.signing import keys
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from wire.directive import SignedDirective, sign
from wire.manifest import Input


def test_a_directive_by_a_strangers_key_is_refused(attacked):
    hub, device = attacked
    device.offer(sign(hub.directive(2), Ed25519PrivateKey.generate()).to_bytes())
    assert refused(device, "expected a signature by one of 1 directors", sequence=0)


def test_a_directive_changed_after_signing_is_refused(attacked):
    hub, device = attacked
    signed = SignedDirective.from_bytes(hub.offer(2))
    forged = SignedDirective(
        payload=signed.payload.replace(b'"mode":"install"', b'"mode":"undo"'),
        key_id=signed.key_id,
        signature=signed.signature,
    )
    device.offer(forged.to_bytes())
    assert refused(device, "SignatureError", sequence=0)


@pytest.mark.parametrize("payload", [b"", b"{}", b"\xff" * 100, b'{"payload":"!"}', b"[" * 5000])
def test_garbage_is_refused_and_reported_once(attacked, payload):
    _, device = attacked
    for _ in range(3):
        device.offer(payload)
    assert refused(device, "MessageError")


def test_a_flood_of_forgeries_does_not_flood_the_hub(attacked):
    hub, device = attacked
    for number in range(60):
        device.updates.offer(USE_CASE, b"forgery %d" % number)
    device.settle()
    assert len(device.reports) == 10
    device.reports.clear()
    assert device.offer(hub.offer(2)) == "probation"
    device.offer(hub.offer(1, mode="undo"))


def test_a_directive_for_another_device_is_refused(attacked):
    hub, device = attacked
    device.offer(hub.offer(2, device="press-05"))
    assert refused(device, f"this device is '{DEVICE}'", sequence=0)


def test_a_directive_for_this_name_but_another_key_is_refused(attacked):
    hub, device = attacked
    device.offer(hub.offer(2, key_fingerprint="0" * 64))
    assert refused(device, "WrongDeviceError")


def test_a_directive_sent_as_one_for_another_use_case_is_refused(attacked):
    hub, device = attacked
    device.offer(hub.offer(2), use_case="turbofan-rul")
    assert refused(device, "it came as one for 'turbofan-rul'")


@pytest.mark.parametrize("use_case", ["../../etc", "a/b", ".hidden", ""])
def test_a_use_case_that_would_leave_its_folder_is_refused(attacked, use_case):
    hub, device = attacked
    device.offer(hub.offer(2), use_case=use_case)
    assert refused(device, "expected a use case name")
    assert [path.name for path in (device.state_dir / "updates" / "slots").iterdir()] == [USE_CASE]


def test_an_expired_directive_is_refused(attacked):
    hub, device = attacked
    now_us = device.clock.now_us()
    device.offer(hub.offer(2, issued_us=now_us - HOUR_US, expires_us=now_us - 1))
    assert refused(device, "expired at", sequence=hub.sequence)


def test_an_older_directive_is_refused_as_a_downgrade(attacked):
    hub, device = attacked
    older = hub.offer(1, sequence=0)
    device.offer(older)
    assert refused(device, "directive 0 offered, 1 already accepted", sequence=0)


def test_a_replayed_directive_is_no_news(attacked):
    hub, device = attacked
    offered = hub.offer(1)
    device.offer(offered)
    device.reports.clear()
    device.offer(offered)
    assert device.reports == []


def test_another_directive_under_the_same_sequence_is_a_conflict(attacked):
    hub, device = attacked
    device.offer(hub.offer(2, sequence=1))
    assert refused(device, "came again with other bytes")


def test_a_clock_behind_a_trusted_time_accepts_nothing_and_goes_on_predicting(attacked):
    hub, device = attacked
    device.clock.ahead_us = -2 * HOUR_US
    device.offer(hub.offer(2))
    assert refused(device, "ClockBehindError", sequence=hub.sequence)
    device.predict(1)


def test_a_tampered_bundle_is_refused(attacked):
    hub, device = attacked
    file = hub.target_file(2)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    device.offer(hub.offer(2))
    assert refused(device, "LengthOrHashMismatchError")


def test_a_truncated_bundle_is_refused(attacked):
    hub, device = attacked
    file = hub.target_file(2)
    file.write_bytes(file.read_bytes()[:100])
    device.offer(hub.offer(2))
    assert refused(device, "LengthOrHashMismatchError")


def test_a_bundle_without_end_is_cut_off(attacked):
    hub, device = attacked
    with hub.target_file(2).open("ab") as file:
        file.write(bytes(5_000_000))
    device.offer(hub.offer(2))
    assert refused(device, "DownloadLengthMismatchError")


def test_a_bundle_nobody_signed_is_refused(attacked):
    hub, device = attacked
    device.offer(hub.offer(7))
    assert refused(device, "not among the signed targets")


def test_a_bundle_that_directive_and_metadata_disagree_on_is_refused(attacked):
    hub, device = attacked
    device.offer(hub.offer(2, bundle_sha256="ab" * 32))
    assert refused(device, "directive says SHA-256 abababababab, signed metadata")


@pytest.mark.parametrize(
    "path",
    [
        "../keys/online/director.pem",
        "bundles/../directors.json",
        "/etc/passwd",
        "directors.json",
        "bundles/.x",
    ],
)
def test_a_target_path_that_leads_elsewhere_is_refused(attacked, path):
    hub, device = attacked
    device.offer(hub.offer(2, bundle_path=path))
    assert refused(device, "expected a bundle path like")


def test_metadata_signed_by_a_stranger_is_refused(attacked, tmp_path):
    hub, device = attacked
    keys.init(tmp_path / "stranger", tmp_path / "stranger-offline")
    Repository(tmp_path / "stranger").publish_bundle(hub.bundle(2), f"bundles/{USE_CASE}/2.zip")
    theirs = tmp_path / "stranger" / "repository" / "metadata" / "timestamp.json"
    (hub.repository.metadata_folder / "timestamp.json").write_bytes(theirs.read_bytes())
    device.boot()  # what it knew of the directors is asked for again
    device.offer(hub.offer(2))
    assert refused(device, "UnsignedMetadataError")


def test_expired_metadata_is_waited_for_with_the_reason(attacked):
    hub, device = attacked
    file = hub.repository.metadata_folder / "timestamp.json"
    timestamp = Metadata.from_file(str(file))
    timestamp.signed.expires = timestamp.signed.expires.replace(year=2020)
    timestamp.sign(*Keyring.online(hub.state_dir).signers("timestamp"))
    file.write_bytes(timestamp.to_bytes())
    device.offer(hub.offer(2))
    assert device.state == "downloading"
    assert "expired, or this clock is wrong" in device.last.reason
    device.updates.stop()


def published_as_is(hub, content, version=5):
    """A signed target whose bytes are whatever an insider put there."""
    path = hub.state_dir / "evil.zip"
    path.write_bytes(content)
    hub.published[version] = hub.repository.publish_bundle(path, f"bundles/{USE_CASE}/{version}.zip")
    return hub.offer(version)


def test_a_signed_bundle_with_a_path_in_its_zip_is_refused(attacked, tmp_path):
    hub, device = attacked
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../../../tmp/andon-was-here", b"x")
    device.offer(published_as_is(hub, (tmp_path / "evil.zip").read_bytes()))
    assert refused(device, "expected manifest.json, model.onnx")
    assert not Path("/tmp/andon-was-here").exists()


def test_a_signed_file_that_is_no_bundle_is_refused(attacked):
    hub, device = attacked
    device.offer(published_as_is(hub, b"not a zip"))
    assert refused(device, "not a bundle")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"targets": ("orin-nano",)}, "expected a bundle for generic, got one for orin-nano"),
        ({"machine_class": "turbofan"}, "no machine of class 'turbofan'"),
        ({"feature_set": "trend/1"}, "expected a bundle of feature set 'vibration-trend/1', got 'trend/1'"),
        (
            {"inputs": (Input(name=NAMES[0], unit="1"), Input(name=NAMES[1], unit="m/s2"))},
            "vibration.kurtosis: this device makes it in '1', the bundle takes it in 'm/s2'",
        ),
        ({"inputs": (Input(name=NAMES[0], unit="1"),) * 2}, "this device makes 'vibration.kurtosis'"),
        ({"use_case": "turbofan-rul"}, "expected a bundle of use case 'motor-health'"),
        ({"release": "motor-health/9"}, "expected a bundle of release 'motor-health/5'"),
        ({"onnx": b"mystery!", "golden": np.zeros((2, 2), dtype=np.float32)}, "operator Mystery"),
    ],
    ids=["target", "machine class", "feature set", "units", "features", "use case", "release", "operator"],
)  # fmt: skip
def test_a_signed_bundle_for_something_else_is_refused_before_a_slot_is_touched(attacked, made, reason):
    hub, device = attacked
    hub.publish(5, **made)
    before = slots(device)
    device.offer(hub.offer(5))
    assert refused(device, reason)
    assert slots(device) == before
