import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wire.bundle import NAMES, Bundle, read_bundle, write_bundle
from wire.errors import BundleError
from wire.manifest import AlarmRule, Input, IntervalTable, Manifest, Output

MANIFEST = Manifest(
    use_case="motor-health",
    version=3,
    release="motor-health/3",
    machine_class="motor-pump",
    feature_set="vibration-trend/1",
    inputs=(Input(name="vibration_x.rms", unit="m/s2"), Input(name="temperature.last", unit="Cel")),
    outputs=(Output(name="remaining_life", unit="h", low=0, high=500),),
    rtol=1e-4,
    atol=1e-4,
    interval=IntervalTable(coverage=0.9, edges=(0.0, 100.0), lower=(10.0, 20.0), upper=(12.0, 30.0)),
    alarms=(AlarmRule(output="remaining_life", direction="below", threshold=72, clear=96, persistence=3),),
    lineage={"run": "r"},
)
BUNDLE = Bundle(
    manifest=MANIFEST,
    onnx=b"network",
    golden_inputs=np.ones((3, 2), np.float32),
    golden_outputs=np.zeros((3, 1), np.float32),
    card_html="<p>card</p>",
)


def test_a_bundle_survives_its_file(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    found = read_bundle(tmp_path / "b")
    assert (found.manifest, found.onnx, found.card_html) == (MANIFEST, b"network", "<p>card</p>")
    np.testing.assert_array_equal(found.golden_inputs, BUNDLE.golden_inputs)


def test_equal_bundles_are_equal_bytes(tmp_path: Path) -> None:
    assert write_bundle(tmp_path / "a", BUNDLE) == write_bundle(tmp_path / "b", BUNDLE)


@pytest.mark.parametrize("stray", ["../../etc/passwd", "/etc/passwd", "extra.txt", "model.onnx"])
def test_a_member_that_does_not_belong_is_refused(tmp_path: Path, stray: str) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    with zipfile.ZipFile(tmp_path / "b", "a") as archive, pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile warns of the duplicate we want
        archive.writestr(stray, "x")
    with pytest.raises(BundleError, match=r"expected manifest\.json"):
        read_bundle(tmp_path / "b")


def test_a_compressed_member_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(name, b"0" * 10_000)
    with pytest.raises(BundleError, match="stored"):
        read_bundle(tmp_path / "b")


def test_a_truncated_bundle_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    whole = (tmp_path / "b").read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "b").write_bytes(whole[:size])
        with pytest.raises(BundleError):
            read_bundle(tmp_path / "b")


def test_a_bundle_over_the_limit_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    with pytest.raises(BundleError, match="at most 10 bytes"):
        read_bundle(tmp_path / "b", largest=10)


def test_golden_inputs_must_fit_the_manifest(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", replace(BUNDLE, golden_inputs=np.ones((3, 5), np.float32)))
    with pytest.raises(BundleError, match="width 2"):
        read_bundle(tmp_path / "b")


def test_pickled_golden_inputs_are_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "b") as archive:
        members = {name: archive.read(name) for name in NAMES}
    members["golden_inputs.npy"] = (tmp_path / "evil.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        for name in NAMES:
            archive.writestr(name, members[name])
    with pytest.raises(BundleError, match="golden_inputs"):
        read_bundle(tmp_path / "b")


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"use_case":1}', b"null"])
def test_garbage_is_not_a_manifest(payload: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.from_json(payload)
