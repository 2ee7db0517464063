import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
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


@pytest.mark.parametrize(
    "stray", ["../../etc/passwd", "/etc/passwd", "C:\\\\x", "./model.onnx", "extra.txt", "model.onnx"]
)
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
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    rewrite(tmp_path / "b", {"golden_inputs.npy": (tmp_path / "evil.npy").read_bytes()})
    with pytest.raises(BundleError, match="golden_inputs"):
        read_bundle(tmp_path / "b")


def rewrite(path: Path, changed: Mapping[str, bytes], **attributes: int) -> None:
    """The bundle with the bytes of some members changed, and attributes of all its members set."""
    write_bundle(path, BUNDLE)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in NAMES} | changed
    with zipfile.ZipFile(path, "w") as archive:
        for name in NAMES:
            info = zipfile.ZipInfo(name)
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.writestr(info, members[name])


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 2), }"), "got 0 bytes"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", bytes(99)), "got 99 bytes"),
        (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", bytes(8)), "expected float32"),
        (npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }", bytes(4)), "expected float32"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", bytes(4)), "expected float32"),
        (npy("__import__('os')"), "not an array"),
        (b"\x93NUMPY\x02\x00", "expected version 1.0"),
    ],
    ids=["terabytes", "more than it says", "doubles", "columns", "no rows", "code", "version"],
)  # fmt: skip
def test_an_array_whose_header_lies_is_refused_before_memory_is_taken(
    tmp_path: Path, payload: bytes, reason: str
) -> None:
    rewrite(tmp_path / "b", {"golden_inputs.npy": payload})
    with pytest.raises(BundleError, match=reason):
        read_bundle(tmp_path / "b")


def test_a_member_that_is_a_link_or_a_folder_is_refused(tmp_path: Path) -> None:
    for kind in (stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO):
        rewrite(tmp_path / "b", {}, external_attr=(kind | 0o777) << 16, create_system=3)
        with pytest.raises(BundleError, match="expected plain files"):
            read_bundle(tmp_path / "b")


def directory(path: Path, change: Callable[[dict[str, int]], Mapping[str, int]]) -> None:
    """Rewrite the zip's central directory: what it says of each member, whatever the member is."""
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02")
    first, index = {}, 0
    while content[place : place + 4] == b"PK\x01\x02":
        stored, size, name = struct.unpack_from("<IIH", content, place + 20)
        (offset,) = struct.unpack_from("<I", content, place + 42)
        told = {"stored": stored, "size": size, "offset": offset, "index": index}
        first = first or told
        told = told | change(told)
        struct.pack_into("<II", content, place + 20, told["stored"], told["size"])
        struct.pack_into("<I", content, place + 42, told["offset"])
        place, index = place + 46 + name, index + 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda told: {"size": 2**32 - 2}, "compressed"),
        (lambda told: {"size": 2**32 - 2, "stored": 2**32 - 2}, "expected model.onnx at byte"),
        (lambda told: {"offset": 0} if told["index"] == 1 else {}, "expected model.onnx at byte"),
        (lambda told: {"stored": 2000, "size": 2000} if told["index"] == 0 else {}, "expected model.onnx at byte"),
    ],
    ids=["a bomb", "a larger bomb", "the same bytes twice", "overlapping"],
)  # fmt: skip
def test_a_zip_that_claims_more_than_it_holds_is_refused(
    tmp_path: Path, change: Callable[[dict[str, int]], Mapping[str, int]], reason: str
) -> None:
    write_bundle(tmp_path / "b", BUNDLE)
    directory(tmp_path / "b", change)
    with pytest.raises(BundleError, match=reason):
        read_bundle(tmp_path / "b")


def test_a_name_that_ends_early_for_zipfile_is_not_taken_for_ours(tmp_path: Path) -> None:
    """zipfile cuts names at a NUL: what follows it must not get in unseen."""
    write_bundle(tmp_path / "b", BUNDLE)
    content = (tmp_path / "b").read_bytes()
    (tmp_path / "b").write_bytes(content.replace(b"card.html", b"car\0/../x"))
    with pytest.raises(BundleError, match=r"expected manifest\.json"):
        read_bundle(tmp_path / "b")


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"use_case":1}', b"null"])
def test_garbage_is_not_a_manifest(payload: bytes) -> None:
    with pytest.raises(BundleError):
        Manifest.from_json(payload)
